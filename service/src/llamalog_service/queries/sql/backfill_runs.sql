-- The $1 backfills requested last, the latest first; only those that have not ended if $2.
SELECT id, status, phase, requested_action, request, requested_by, requested_at, started_at, finished_at, updated_at, plan, to_set,
       resume_at, scanned, rows_set, by_class, batch_size, batches, lock_timeouts, rows_changed, rows_per_second, error,
       report
FROM backfill_runs
WHERE kind = 'backfill-roots' AND (NOT $2 OR status IN ('queued', 'running', 'paused'))
ORDER BY requested_at DESC, id
LIMIT $1
