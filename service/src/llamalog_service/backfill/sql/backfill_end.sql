-- The backfill $1, which is under way, has ended: $2 its status, $3 why it failed, $4 its report.
UPDATE backfill_runs
SET status = $2, phase = CASE WHEN $2 = 'completed' THEN 'done' ELSE phase END, requested_action = NULL, error = $3, report = $4::jsonb,
    finished_at = now(), updated_at = now()
WHERE id = $1 AND status = 'running'
