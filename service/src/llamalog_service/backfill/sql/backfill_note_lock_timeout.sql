-- Rows were locked for too long: the backfill $1 goes on with batches of $2 rows.
UPDATE backfill_runs SET lock_timeouts = lock_timeouts + 1, batch_size = $2, updated_at = now() WHERE id = $1
