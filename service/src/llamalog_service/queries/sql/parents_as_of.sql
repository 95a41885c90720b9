-- As parents, by the claims that were recorded by the time $3.
WITH RECURSIVE starts (job) AS (
    SELECT DISTINCT unnest($1::text[])
), lineage (job, parent) AS (
    SELECT s.job, claim.parent_job_id
    FROM starts s
    LEFT JOIN LATERAL (
        SELECT l.parent_job_id
        FROM llama_logs l
        WHERE {l bears s.job} AND l.parent_job_id IS NOT NULL AND l.recorded_at <= $3::timestamptz
          AND NOT {l was retracted at $3::timestamptz}
        ORDER BY {earliest}
        LIMIT 1
    ) claim ON true
    UNION
    SELECT child.parent, claim.parent_job_id
    FROM lineage child
    LEFT JOIN LATERAL (
        SELECT l.parent_job_id
        FROM llama_logs l
        WHERE {l bears child.parent} AND l.parent_job_id IS NOT NULL AND l.recorded_at <= $3::timestamptz
          AND NOT {l was retracted at $3::timestamptz}
        ORDER BY {earliest}
        LIMIT 1
    ) claim ON true
    WHERE child.parent IS NOT NULL
)
SELECT job, parent FROM lineage
LIMIT $2::integer
