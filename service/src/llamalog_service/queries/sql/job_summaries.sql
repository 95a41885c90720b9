-- The jobs $1 (text[]) in a line each; their rows and what is directly below them counted to $2.
SELECT j.job, first_row.first_at, first_row.category, first_row.operation, first_row.entity_type, first_row.entity_id,
       first_row.name, coalesce(first_row.retracted, false) AS retracted, last_row.last_at, last_row.status, own.rows, own.failed,
       below.children
FROM unnest($1::text[]) WITH ORDINALITY AS j (job, place)
LEFT JOIN LATERAL (
    SELECT least(greatest(l.created_at, '0001-01-01'), '9999-12-31 23:59:59.999') AT TIME ZONE 'UTC' AS first_at,
           l.category, l.operation, l.entity_type, l.entity_id, l.retracted,
           {name} AS name
    FROM llama_logs l
    WHERE {l bears j.job}
    ORDER BY {earliest}
    LIMIT 1
) first_row ON true
LEFT JOIN LATERAL (
    SELECT least(greatest(l.created_at, '0001-01-01'), '9999-12-31 23:59:59.999') AT TIME ZONE 'UTC' AS last_at, l.status
    FROM llama_logs l
    WHERE {l bears j.job}
    ORDER BY l.created_at DESC NULLS LAST, l.id DESC
    LIMIT 1
) last_row ON true
CROSS JOIN LATERAL (
    SELECT count(*) AS rows, count(*) FILTER (WHERE r.category = 'FAILED' OR r.status = 'FAILED') AS failed
    FROM (SELECT l.category, l.status FROM llama_logs l WHERE {l bears j.job} LIMIT $2::integer) r
) own
CROSS JOIN LATERAL (
    SELECT count(*) AS children
    FROM (
        SELECT
        FROM llama_logs l
        WHERE {l names j.job} AND {l stands, or has no job}
          AND NOT EXISTS (
              SELECT FROM llama_logs e
              WHERE {e bears l.job_id} AND e.parent_job_id IS NOT NULL AND NOT e.retracted AND (e.created_at, e.id) < (l.created_at, l.id)
              OFFSET 0
          )
        LIMIT $2::integer
    ) c
) below
ORDER BY j.place
