-- The jobs at which rows start that were created from $1 up to before $2, at most $3.
SELECT DISTINCT coalesce(l.job_id, {claimed}) AS job
FROM llama_logs l
WHERE l.created_at >= $1 AND l.created_at < $2
  AND coalesce(l.job_id, {claimed}) IS NOT NULL
LIMIT $3
