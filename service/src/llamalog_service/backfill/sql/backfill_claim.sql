-- Take the backfill whose turn it is: the one that was begun and has not ended (it may be under way already: it was
-- interrupted), else the oldest that waits. While one that was begun is paused, the others wait.
UPDATE backfill_runs r
SET status = 'running', started_at = coalesce(r.started_at, now()), updated_at = now()
FROM (
    SELECT id, status
    FROM backfill_runs
    WHERE kind = 'backfill-roots' AND (status IN ('queued', 'running') OR status = 'paused' AND started_at IS NOT NULL)
    ORDER BY started_at IS NULL, requested_at, id
    LIMIT 1
    FOR UPDATE
) next
WHERE r.id = next.id AND next.status <> 'paused'
RETURNING r.id
