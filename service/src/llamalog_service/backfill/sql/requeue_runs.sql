-- Runs that a worker left when it died: a recompute may be done again, a backfill goes on where it was.
UPDATE backfill_runs SET status = 'queued', updated_at = now() WHERE status = 'running'
