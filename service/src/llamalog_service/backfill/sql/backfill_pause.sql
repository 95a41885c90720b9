-- The backfill $1, which is under way, is paused as it wishes.
UPDATE backfill_runs
SET status = 'paused', wish = NULL, updated_at = now()
WHERE id = $1 AND status = 'running' AND wish = 'pause'
