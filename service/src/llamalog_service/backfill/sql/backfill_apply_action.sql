-- Heed the request $1 that the run $2 be paused, resumed or cancelled ($3), as $4 asks, unless it was heeded before.
-- A run that is under way is told by its wish, which it reads at its next batch. One that has a plan and is at rest is
-- cancelled by the worker, which reports what it had written.
WITH heard AS (
    INSERT INTO handled_requests (id, run, request, requested_by)
    VALUES ($1, $2, $3, $4)
    ON CONFLICT (id) DO NOTHING
    RETURNING run, request
)
UPDATE backfill_runs r
SET status = CASE
        WHEN h.request = 'pause' AND r.status = 'queued' AND r.wish IS DISTINCT FROM 'cancel' THEN 'paused'
        WHEN h.request = 'resume' AND r.status = 'paused' THEN 'queued'
        WHEN h.request = 'cancel' AND r.status = 'paused' AND r.plan IS NOT NULL THEN 'queued'
        WHEN h.request = 'cancel' AND r.status IN ('queued', 'paused') AND r.plan IS NULL THEN 'cancelled'
        ELSE r.status
    END,
    wish = CASE
        WHEN r.wish = 'cancel' THEN 'cancel'
        WHEN h.request = 'cancel' AND r.plan IS NOT NULL THEN 'cancel'
        WHEN r.status = 'running' AND h.request <> 'resume' THEN h.request
    END,
    finished_at = CASE
        WHEN h.request = 'cancel' AND r.status IN ('queued', 'paused') AND r.plan IS NULL THEN now()
        ELSE r.finished_at
    END,
    updated_at = now()
FROM heard h
WHERE r.id = h.run AND r.kind = 'backfill-roots' AND r.status IN ('queued', 'running', 'paused')
RETURNING r.id
