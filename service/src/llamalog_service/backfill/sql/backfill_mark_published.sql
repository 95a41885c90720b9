-- The end of the backfill $1 was told.
UPDATE backfill_runs SET end_told = true WHERE id = $1
