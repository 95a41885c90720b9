-- Take up to $1 queued recomputes, the oldest first.
UPDATE backfill_runs r
SET status = 'running', started_at = coalesce(r.started_at, now()), updated_at = now()
FROM (
    SELECT id
    FROM backfill_runs
    WHERE status = 'queued' AND kind = 'recompute-roots'
    ORDER BY requested_at, id
    LIMIT $1
    FOR UPDATE SKIP LOCKED
) next
WHERE r.id = next.id
RETURNING r.id, r.jobs
