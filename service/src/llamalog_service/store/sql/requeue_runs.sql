-- Runs that a worker left when it died; a repair may be done again.
UPDATE backfill_runs SET status = 'queued' WHERE status = 'running'
