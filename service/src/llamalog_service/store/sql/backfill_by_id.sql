-- The backfill $1 as it stands.
SELECT
    id AS run, status, phase, request, requested_at, started_at, finished_at, wish, plan, scanned, rows_set,
    by_class, rows_per_second, error, report
FROM backfill_runs
WHERE id = $1 AND kind = 'backfill-roots'
