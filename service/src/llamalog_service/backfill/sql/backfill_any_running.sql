-- Whether a backfill is running.
SELECT EXISTS (SELECT FROM backfill_runs WHERE kind = 'backfill-roots' AND status = 'running')
