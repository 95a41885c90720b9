-- The run $1 can't be done, for the reason $2.
UPDATE backfill_runs
SET status = 'failed', finished_at = now(), updated_at = now(), error = $2
WHERE id = $1 AND status = 'running'
