-- The jobs directly below the job $1, each by its earliest claim, and the rows without a job that name it: at most $4
-- behind the position $2 (time), $3 (id). OFFSET 0: else the planner may read by time, hoping to meet them soon, or all jobs at once.
SELECT l.id, least(greatest(l.created_at, '0001-01-01'), '9999-12-31 23:59:59.999') AT TIME ZONE 'UTC' AS created_at,
       CASE WHEN l.created_at NOT BETWEEN '0001-01-01' AND '9999-12-31 23:59:59.999' THEN l.created_at::text END
           AS odd_time,
       l.job_id, l.category, l.status, l.operation, l.entity_type, l.entity_id, l.retracted, {name} AS name,
       l.category = 'FAILED' OR l.status = 'FAILED' AS is_failure
FROM (SELECT * FROM llama_logs c WHERE {c names $1::text} OFFSET 0) l
WHERE (l.created_at, l.id) > ($2::text::timestamp, $3::uuid)
  AND {l stands, or has no job}
  AND NOT EXISTS (
      SELECT FROM llama_logs e
      WHERE {e bears l.job_id} AND e.parent_job_id IS NOT NULL AND NOT e.retracted AND (e.created_at, e.id) < (l.created_at, l.id)
      OFFSET 0
  )
ORDER BY l.created_at, l.id
LIMIT $4::integer
