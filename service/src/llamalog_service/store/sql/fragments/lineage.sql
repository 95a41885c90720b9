lineage (job, parent) AS (
    SELECT j.job, claim.parent_job_id
    FROM (SELECT DISTINCT coalesce(p.job_id, p.parent_job_id) AS job FROM page p) j
    LEFT JOIN LATERAL (
        SELECT l.parent_job_id
        FROM llama_logs l
        WHERE l.job_id = j.job AND l.parent_job_id IS NOT NULL
        ORDER BY (l.created_at, l.id)  -- as a row: else it may be read by time
        LIMIT 1
    ) claim ON true
    WHERE j.job IS NOT NULL
    UNION
    SELECT child.parent, claim.parent_job_id
    FROM lineage child
    LEFT JOIN LATERAL (
        SELECT l.parent_job_id
        FROM llama_logs l
        WHERE l.job_id = child.parent AND l.parent_job_id IS NOT NULL
        ORDER BY (l.created_at, l.id)  -- as a row: else it may be read by time
        LIMIT 1
    ) claim ON true
    WHERE child.parent IS NOT NULL
)
