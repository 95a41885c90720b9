-- Pause the running backfill $1, as requested.
UPDATE backfill_runs
SET status = 'paused', requested_action = NULL, updated_at = now()
WHERE id = $1 AND status = 'running' AND requested_action = 'pause'
