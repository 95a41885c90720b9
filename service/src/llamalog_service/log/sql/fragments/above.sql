-- The jobs `below`, and those above them, out of scope, as far as the earliest claims lead.
lineage (job, in_scope) AS (
    SELECT b.job, true FROM below b
    UNION
    SELECT claim.parent_job_id, false
    FROM lineage a
    CROSS JOIN LATERAL (
        SELECT l.parent_job_id
        FROM llama_logs l
        WHERE {l bears a.job} AND l.parent_job_id IS NOT NULL AND {claims}
        ORDER BY {earliest}
        LIMIT 1
    ) claim
), jobs AS (
    -- Grouped: to look each job up among those below would read all of them once for each.
    SELECT a.job, bool_or(a.in_scope) AS in_scope FROM lineage a GROUP BY a.job
)
