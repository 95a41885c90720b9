-- The parents that count of the jobs $1 (text[]), of their parents, and so on up to the tops, of the nearest $2 jobs: there
-- the walk ends. A job without a claim has none. UNION, not UNION ALL: a job is visited once, so that a cycle ends the walk.
WITH RECURSIVE lineage (job, parent) AS (
    SELECT j.job, claim.parent_job_id
    FROM (SELECT DISTINCT unnest($1::text[])) AS j (job)
    LEFT JOIN LATERAL (
        SELECT l.parent_job_id
        FROM llama_logs l
        WHERE l.job_id = j.job AND l.parent_job_id IS NOT NULL
        ORDER BY l.created_at, l.id
        LIMIT 1
    ) claim ON true
    UNION
    SELECT child.parent, claim.parent_job_id
    FROM lineage child
    LEFT JOIN LATERAL (
        SELECT l.parent_job_id
        FROM llama_logs l
        WHERE l.job_id = child.parent AND l.parent_job_id IS NOT NULL
        ORDER BY l.created_at, l.id
        LIMIT 1
    ) claim ON true
    WHERE child.parent IS NOT NULL
)
SELECT job, parent FROM lineage
LIMIT $2::integer
