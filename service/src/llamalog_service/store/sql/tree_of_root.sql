-- The rows whose root is the job $1, at most $5 behind the place $2 (time), $3 (whether the row does not call itself a
-- root job's), $4 (id).
SELECT {row}
FROM llama_logs l
WHERE l.root_job_id = $1::text
  AND l.created_at >= $2::text::timestamp
  AND (l.created_at, NOT l.is_root_job, l.id) > ($2::text::timestamp, $3::boolean, $4::uuid)
ORDER BY l.created_at, NOT l.is_root_job, l.id
LIMIT $5::integer
