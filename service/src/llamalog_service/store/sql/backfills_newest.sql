-- The newest $1 backfills, only those that have not ended if $2.
SELECT
    id AS run, status, phase, request, requested_at, started_at, finished_at, wish, plan, scanned, rows_set,
    by_class, rows_per_second, error, report
FROM backfill_runs
WHERE kind = 'backfill-roots' AND (NOT $2 OR status IN ('queued', 'running', 'paused'))
ORDER BY requested_at DESC, id
LIMIT $1
