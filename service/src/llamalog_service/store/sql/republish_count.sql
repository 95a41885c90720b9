-- How many rows there are after $1 (NULL: from the first) that were recorded since $2 and have the root $3 (NULL: any).
SELECT count(*)
FROM llama_logs
WHERE ($1::uuid IS NULL OR id > $1)
  AND ($2::timestamptz IS NULL OR recorded_at >= $2)
  AND ($3::text IS NULL OR root_job_id = $3)
