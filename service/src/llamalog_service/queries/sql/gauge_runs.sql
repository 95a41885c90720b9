-- Runs by status; their table is small.
SELECT status, count(*) AS runs FROM backfill_runs GROUP BY status
