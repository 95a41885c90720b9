-- Where rows start that were recorded after $1, are not planned, and wait for the top of their chain: what they waited
-- for may have been planned, and written after they came.
SELECT DISTINCT coalesce(l.job_id, l.parent_job_id) AS job
FROM llama_logs l
WHERE l.origin IN ('PENDING', 'DECLARED')
  AND l.recorded_at > $1
  AND coalesce(l.job_id, l.parent_job_id) IS NOT NULL
  AND NOT EXISTS (SELECT FROM backfill_plan p WHERE p.row_id = l.id)
