-- The $1 backfills requested last, the latest first; only those that have not ended if $2. The first is given, and those after
-- it that keep all of them within $3 bytes: a request may name a thousand jobs.
SELECT id, status, phase, requested_action, request, requested_by, requested_at, started_at, finished_at, updated_at, plan, to_set,
       resume_at, scanned, rows_set, by_class, batch_size, batches, lock_timeouts, rows_changed, rows_per_second, error,
       report
FROM (
    SELECT r.*, row_number() OVER w AS number,
           sum(octet_length(r.request::text) + coalesce(octet_length(r.report::text), 0)
               + coalesce(octet_length(r.error), 0)) OVER w AS upto
    FROM (
        SELECT *
        FROM backfill_runs
        WHERE kind = 'backfill-roots' AND (NOT $2 OR status IN ('queued', 'running', 'paused'))
        ORDER BY requested_at DESC, id
        LIMIT $1
    ) r
    WINDOW w AS (ORDER BY r.requested_at DESC, r.id ROWS UNBOUNDED PRECEDING)
) r
WHERE number = 1 OR upto <= $3::bigint
ORDER BY requested_at DESC, id
