-- How many rows were recorded since $1 and have the root $2 (NULL: all).
SELECT count(*)
FROM llama_logs l
WHERE ($1::timestamptz IS NULL OR l.recorded_at >= $1) AND ($2::text IS NULL OR l.root_job_id = $2)
