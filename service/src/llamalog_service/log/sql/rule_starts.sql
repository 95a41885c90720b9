-- The jobs at which rows start that were created from $1 up to before $2, at most $3.
SELECT DISTINCT coalesce(l.job_id, CASE WHEN l.origin IS NULL AND l.is_root_job THEN NULL ELSE l.parent_job_id END) AS job
FROM llama_logs l
WHERE l.created_at >= $1 AND l.created_at < $2
  AND coalesce(l.job_id, CASE WHEN l.origin IS NULL AND l.is_root_job THEN NULL ELSE l.parent_job_id END) IS NOT NULL
LIMIT $3
