-- The runs $1 are done, after $2 passes that changed $3 rows among them.
UPDATE backfill_runs
SET status = 'completed', finished_at = now(), updated_at = now(), passes = $2, rows_changed = $3
WHERE id = ANY ($1::uuid[])
