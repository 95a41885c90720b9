-- The first $3 of the backfills whose end is not published, as they ended, and of those that are not over and changed after
-- the one of id $2, which changed at $1: those that one transaction changed have the same time.
SELECT id, status, phase, requested_action, request, requested_by, requested_at, started_at, finished_at, updated_at, plan, to_set,
       resume_at, scanned, rows_set, by_class, batch_size, batches, lock_timeouts, rows_changed, rows_per_second, error,
       report
FROM backfill_runs
WHERE kind = 'backfill-roots'
  AND (status IN ('completed', 'failed', 'cancelled') AND NOT end_published
       OR status IN ('queued', 'running', 'paused') AND (updated_at, id) > ($1, $2))
ORDER BY updated_at, id
LIMIT $3
