-- Note that the end of the backfill $1 is published.
UPDATE backfill_runs SET end_published = true WHERE id = $1
