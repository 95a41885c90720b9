-- The root job number $4, counted from 0, behind the place $1 (time), $2 (id) down to the time $3, by its first row.
SELECT l.id, least(greatest(l.created_at, '0001-01-01'), '9999-12-31 23:59:59.999') AT TIME ZONE 'UTC' AS created_at,
       CASE WHEN l.created_at NOT BETWEEN '0001-01-01' AND '9999-12-31 23:59:59.999' THEN l.created_at::text END
           AS odd_time
FROM llama_logs l
WHERE l.origin IN ('ROOT', 'ADOPTED')
      AND (l.created_at, l.id) < ($1::text::timestamp, $2::uuid) AND l.created_at >= $3::text::timestamp
      AND NOT EXISTS (
          SELECT FROM llama_logs e
          WHERE l.origin = 'ROOT' AND e.job_id = l.job_id AND (e.created_at, e.id) < (l.created_at, l.id)
      )
      AND NOT EXISTS (
          SELECT FROM llama_logs e
          WHERE l.origin = 'ADOPTED' AND e.root_job_id = l.root_job_id AND e.created_at <= l.created_at
            AND (e.created_at, e.id) < (l.created_at, l.id)
      )
ORDER BY l.created_at DESC, l.id DESC
OFFSET $4::integer
LIMIT 1
