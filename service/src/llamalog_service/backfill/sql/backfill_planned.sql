-- The backfill $1 has a plan: $2 its counts, of which $3 rows are to be set and the others, $4 of all and $5 by
-- class, are right already.
UPDATE backfill_runs
SET phase = 'writing', plan = $2::jsonb, to_set = $3, scanned = $4, by_class = $5::jsonb, resume_at = 0, rows_set = 0,
    batches = 0, lock_timeouts = 0, rows_changed = 0, updated_at = now()
WHERE id = $1 AND status = 'running' AND phase IN ('waiting', 'planning')
RETURNING id
