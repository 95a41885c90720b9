-- The newest $1 backfills as they stand, only those that have not ended if $2.
SELECT id, status, phase, wish, request, requested_at, started_at, finished_at, plan, scanned, rows_set, by_class,
       rows_per_second, error, report
FROM backfill_runs
WHERE kind = 'backfill-roots' AND (NOT $2 OR status IN ('queued', 'running', 'paused'))
ORDER BY requested_at DESC, id
LIMIT $1
