-- The backfill $1, which is under way, has come to the phase $2.
UPDATE backfill_runs SET phase = $2, updated_at = now() WHERE id = $1 AND status = 'running'
