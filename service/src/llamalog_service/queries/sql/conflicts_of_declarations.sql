-- Rows that declare another root than the one that was found: at most $3 behind the position $1 (time), $2 (id).
-- OFFSET 0: else the planner, which thinks that most rows are in conflict, reads all of them by time.
SELECT l.id, least(greatest(l.created_at, '0001-01-01'), '9999-12-31 23:59:59.999') AT TIME ZONE 'UTC' AS created_at,
       CASE WHEN l.created_at NOT BETWEEN '0001-01-01' AND '9999-12-31 23:59:59.999' THEN l.created_at::text END
           AS odd_time,
       l.operation, l.job_id, l.declared_root_job_id AS stated, l.root_job_id AS counts, l.root_job_id, l.origin
FROM (SELECT * FROM llama_logs WHERE declared_root_job_id <> root_job_id OFFSET 0) l
WHERE NOT l.retracted AND (l.created_at, l.id) > ($1::text::timestamp, $2::uuid)
ORDER BY l.created_at, l.id
LIMIT $3::integer
