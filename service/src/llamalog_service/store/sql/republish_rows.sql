-- The next $2 rows after the id $1 (NULL: from the beginning), of those that were recorded since $3 and have the root $4
-- (NULL: all).
SELECT l.id
FROM llama_logs l
WHERE ($1::uuid IS NULL OR l.id > $1)
  AND ($3::timestamptz IS NULL OR l.recorded_at >= $3)
  AND ($4::text IS NULL OR l.root_job_id = $4)
ORDER BY l.id
LIMIT $2
