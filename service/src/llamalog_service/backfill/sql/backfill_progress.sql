-- A batch of the backfill $1 was written up to the position $2: $3 rows were looked at, $4 of them set, so that the
-- classes are now $5; the next batch has $6 rows, the speed is $7 rows a second.
UPDATE backfill_runs
SET resume_at = $2, scanned = scanned + $3, rows_set = rows_set + $4, by_class = $5::jsonb, batch_size = $6,
    rows_per_second = $7, batches = batches + 1, updated_at = now()
WHERE id = $1
