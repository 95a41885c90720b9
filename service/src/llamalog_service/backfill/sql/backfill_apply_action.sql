-- Apply the request $1 of $4 to pause, resume or cancel ($3) the run $2, unless it was applied before. A running backfill
-- reads requested_action at its next batch. One that has a plan and is at rest is cancelled by the worker, which reports
-- what it had written.
WITH accepted AS (
    INSERT INTO handled_requests (id, run, request, requested_by)
    VALUES ($1, $2, $3, $4)
    ON CONFLICT (id) DO NOTHING
    RETURNING run, request
)
UPDATE backfill_runs r
SET status = CASE
        WHEN h.request = 'pause' AND r.status = 'queued' AND r.requested_action IS DISTINCT FROM 'cancel' THEN 'paused'
        WHEN h.request = 'resume' AND r.status = 'paused' THEN 'queued'
        WHEN h.request = 'cancel' AND r.status = 'paused' AND r.plan IS NOT NULL THEN 'queued'
        WHEN h.request = 'cancel' AND r.status IN ('queued', 'paused') AND r.plan IS NULL THEN 'cancelled'
        ELSE r.status
    END,
    requested_action = CASE
        WHEN r.requested_action = 'cancel' THEN 'cancel'
        WHEN h.request = 'cancel' AND r.plan IS NOT NULL THEN 'cancel'
        WHEN r.status = 'running' AND h.request <> 'resume' THEN h.request
    END,
    finished_at = CASE
        WHEN h.request = 'cancel' AND r.status IN ('queued', 'paused') AND r.plan IS NULL THEN now()
        ELSE r.finished_at
    END,
    updated_at = now()
FROM accepted h
WHERE r.id = h.run AND r.kind = 'backfill-roots' AND r.status IN ('queued', 'running', 'paused')
RETURNING r.id
