-- The jobs that the rows $1 (uuid[]) bear, or else name as their parent.
SELECT DISTINCT coalesce(l.job_id, l.parent_job_id) AS job
FROM llama_logs l
WHERE l.id = ANY ($1::uuid[]) AND coalesce(l.job_id, l.parent_job_id) IS NOT NULL
