-- The backfill $1 as stored.
SELECT id, status, phase, requested_action, request, requested_by, requested_at, started_at, finished_at, updated_at, plan, to_set,
       resume_at, scanned, rows_set, by_class, batch_size, batches, lock_timeouts, rows_changed, rows_per_second, error,
       report
FROM backfill_runs
WHERE id = $1 AND kind = 'backfill-roots'
