-- The jobs at which rows start that have the root $1 now.
SELECT DISTINCT coalesce(l.job_id, l.parent_job_id) AS job
FROM llama_logs l
WHERE l.root_job_id = $1 AND coalesce(l.job_id, l.parent_job_id) IS NOT NULL
