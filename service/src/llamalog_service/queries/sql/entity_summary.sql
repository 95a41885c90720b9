-- What became of the entity $1 (uuid) of the type $2 (text): the counts of the rows about it, and with them, one a row,
-- the moments that mattered. Recently is since $3 (time). Of very many rows the $4 newest and the $4 oldest count.
WITH newest AS MATERIALIZED (
    SELECT l.id, l.created_at, l.category::text, l.status::text, l.operation, l.job_id, l.root_job_id, l.error_code,
           left(l.error_message, 301) AS error_message, l.retry_count,
           {name} AS name
    FROM llama_logs l
    WHERE {l is about $1::uuid} AND l.entity_type::text = $2::text
    ORDER BY {second of l.created_at} DESC, l.created_at DESC, l.id DESC
    LIMIT $4::integer
), oldest AS (
    SELECT l.id, l.created_at, l.category::text, l.status::text, l.operation, l.job_id, l.root_job_id, l.error_code,
           left(l.error_message, 301) AS error_message, l.retry_count,
           {name} AS name
    FROM llama_logs l
    WHERE (SELECT count(*) FROM newest) = $4 AND {l is about $1::uuid} AND l.entity_type::text = $2::text
    ORDER BY {second of l.created_at}, l.created_at, l.id
    LIMIT $4::integer
), about AS MATERIALIZED (
    SELECT * FROM newest
    UNION ALL
    SELECT * FROM oldest o WHERE o.id NOT IN (SELECT n.id FROM newest n)
), counts AS (
    SELECT count(*) AS rows,
           min(least(greatest(a.created_at, '0001-01-01'), '9999-12-31 23:59:59.999') AT TIME ZONE 'UTC') AS first_at,
           max(least(greatest(a.created_at, '0001-01-01'), '9999-12-31 23:59:59.999') AT TIME ZONE 'UTC') AS last_at,
           (array_agg(a.retry_count ORDER BY a.created_at DESC, a.id DESC) FILTER (WHERE a.retry_count IS NOT NULL))[1]
               AS retries,
           count(*) FILTER (WHERE (a.category = 'FAILED' OR a.status = 'FAILED')
                                  AND a.created_at >= $3::text::timestamp) > 0 AS failed_recently,
           count(*) FILTER (WHERE a.status = 'NO_DATA_AVAILABLE' AND a.created_at >= $3::text::timestamp) > 0
               AS no_data_recently,
           (SELECT array_agg(n.name ORDER BY n.place)
            FROM (SELECT b.name, min(b.place) AS place
                  FROM (SELECT c.name, row_number() OVER (ORDER BY c.created_at DESC, c.id DESC) AS place
                        FROM about c WHERE c.name IS NOT NULL) b
                  GROUP BY b.name ORDER BY place LIMIT 10) n) AS names
    FROM about a
), moments AS (
    (SELECT 'created' AS what, a.* FROM about a WHERE a.category = 'CREATED' ORDER BY a.created_at, a.id LIMIT 1)
    UNION ALL
    (SELECT 'linked', a.* FROM about a WHERE a.category = 'LINKED' ORDER BY a.created_at, a.id LIMIT 1)
    UNION ALL
    (SELECT 'enriched', a.* FROM about a WHERE a.category = 'ENRICHED' ORDER BY a.created_at DESC, a.id DESC LIMIT 1)
    UNION ALL
    (SELECT 'failure', a.* FROM about a WHERE a.category = 'FAILED' OR a.status = 'FAILED'
     ORDER BY a.created_at DESC, a.id DESC LIMIT 1)
)
SELECT c.*, m.what, m.id, least(greatest(m.created_at, '0001-01-01'), '9999-12-31 23:59:59.999') AT TIME ZONE 'UTC' AS created_at, m.category, m.operation, m.status, m.job_id,
       m.root_job_id, m.error_code, m.error_message, m.retry_count
FROM counts c
LEFT JOIN moments m ON true
