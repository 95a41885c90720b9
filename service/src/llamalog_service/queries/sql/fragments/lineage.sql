lineage (job, parent) AS (
    -- The parents that count of the jobs in `starts`, of their parents, and so on up to the tops, the nearest first. A
    -- job without a claim has none. UNION, not UNION ALL: a job is visited once, so that a cycle ends the walk.
    SELECT s.job, claim.parent_job_id
    FROM starts s
    LEFT JOIN LATERAL (
        SELECT l.parent_job_id
        FROM llama_logs l
        WHERE {l bears s.job} AND l.parent_job_id IS NOT NULL AND {l stands}
        ORDER BY {earliest}
        LIMIT 1
    ) claim ON true
    UNION
    SELECT child.parent, claim.parent_job_id
    FROM lineage child
    LEFT JOIN LATERAL (
        SELECT l.parent_job_id
        FROM llama_logs l
        WHERE {l bears child.parent} AND l.parent_job_id IS NOT NULL AND {l stands}
        ORDER BY {earliest}
        LIMIT 1
    ) claim ON true
    WHERE child.parent IS NOT NULL
)
