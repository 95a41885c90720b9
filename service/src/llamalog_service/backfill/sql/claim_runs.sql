-- Take up to $1 recomputes, the oldest first: those that wait, and those that were taken by a call whose answer was lost. The one
-- worker takes more only once it has done all that it knows of.
UPDATE backfill_runs r
SET status = 'running', started_at = coalesce(r.started_at, now()), updated_at = now()
FROM (
    SELECT id
    FROM backfill_runs
    WHERE status IN ('queued', 'running') AND kind = 'recompute-roots'
    ORDER BY requested_at, id
    LIMIT $1
    FOR UPDATE SKIP LOCKED
) next
WHERE r.id = next.id
RETURNING r.id, r.jobs
