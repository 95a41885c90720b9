-- Root jobs that the filters $4 to $9 let through, the newest first, each by its first row: at most $12, of at most $11
-- rows of root jobs behind the position $1 (time), $2 (id) down to the time $3. What is under each is counted to $10.
SELECT l.id, l.created_at, l.odd_time, l.root_job_id, l.origin, l.entity_type, l.entity_id, l.name, l.operation, l.category,
       l.status, l.retracted, l.user_id, l.triggered_by, lineage.rows, own.own, failures.failed, lineage.last_at
FROM (
    SELECT l.id, least(greatest(l.created_at, '0001-01-01'), '9999-12-31 23:59:59.999') AT TIME ZONE 'UTC' AS created_at,
           CASE WHEN l.created_at NOT BETWEEN '0001-01-01' AND '9999-12-31 23:59:59.999' THEN l.created_at::text END
               AS odd_time,
           l.root_job_id, l.origin, l.entity_type, l.entity_id, {name} AS name, l.operation, l.category, l.status,
           l.retracted, l.user_id, l.triggered_by, l.created_at AS kept_at
    FROM (
        SELECT l.*
        FROM llama_logs l
        WHERE l.origin IN ('ROOT', 'ADOPTED')
          AND (l.created_at, l.id) < ($1::text::timestamp, $2::uuid) AND l.created_at >= $3::text::timestamp
        ORDER BY l.created_at DESC, l.id DESC
        LIMIT $11::integer
    ) l
    WHERE ($4::text IS NULL OR l.category::text = $4)
      AND ($5::text IS NULL OR l.status::text = $5)
      AND ($6::text IS NULL OR l.entity_type::text = $6)
      AND ($7::text IS NULL OR l.user_id = $7)
      AND ($8::text IS NULL OR l.root_job_id ILIKE $8 OR l.operation ILIKE $8 OR l.entity_id::text = lower($9::text)
           OR l.metadata ->> 'title' ILIKE $8 OR l.metadata ->> 'name' ILIKE $8)
      AND CASE l.origin
          WHEN 'ROOT' THEN NOT EXISTS (
              SELECT FROM llama_logs e
              WHERE {e bears l.job_id} AND e.origin = 'ROOT' AND (e.created_at, e.id) < (l.created_at, l.id)
          )
          ELSE NOT EXISTS (
              SELECT
              FROM (SELECT * FROM llama_logs c WHERE {c stems from l.root_job_id} OFFSET 0) e
              WHERE e.origin = 'ADOPTED' AND (e.created_at, e.id) < (l.created_at, l.id)
          )
          END
    ORDER BY l.created_at DESC, l.id DESC
    LIMIT $12::integer
) l
CROSS JOIN LATERAL (
    SELECT count(*) AS rows, least(greatest(max(c.created_at), '0001-01-01'), '9999-12-31 23:59:59.999') AT TIME ZONE 'UTC' AS last_at
    FROM (SELECT c.created_at FROM llama_logs c WHERE {c stems from l.root_job_id} LIMIT $10::integer) c
) lineage
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE c.root_job_id = l.root_job_id) AS own  -- a row that no sweep has seen has no root
    FROM (SELECT c.root_job_id FROM llama_logs c WHERE {c bears l.root_job_id} LIMIT $10::integer) c
) own
CROSS JOIN LATERAL (
    SELECT count(*) AS failed
    FROM (
        SELECT FROM llama_logs c
        WHERE c.root_job_id = l.root_job_id AND (c.category = 'FAILED' OR c.status = 'FAILED')
        LIMIT $10::integer
    ) c
) failures
ORDER BY l.kept_at DESC, l.id DESC
