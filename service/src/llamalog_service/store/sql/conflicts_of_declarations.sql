-- Rows that declare another root than the one that was found: at most $3 behind the cursor ($1 time, $2 id).
SELECT l.id, l.created_at, l.operation, l.job_id, l.parent_job_id, l.declared_root_job_id AS declared, l.root_job_id,
       l.origin
FROM llama_logs l
WHERE l.declared_root_job_id <> l.root_job_id AND (l.created_at, l.id) > ($1::timestamp, $2::uuid)
ORDER BY l.created_at, l.id
LIMIT $3
