-- The jobs $1 (text[]) and everything below them are in scope; their ancestors are needed to find the ends.
-- UNION, not UNION ALL: a job is visited once, so that a cycle ends the walk. A root job with a parent, whose
-- normalisation was refused, makes no claim.
INSERT INTO recompute_jobs (job, parent, seen, adopted, declared, in_scope)
WITH RECURSIVE below (job) AS (
    SELECT unnest($1::text[])
    UNION
    SELECT child.job_id
    FROM below b
    CROSS JOIN LATERAL (
        SELECT l.job_id
        FROM llama_logs l
        WHERE l.parent_job_id = b.job AND l.job_id IS NOT NULL
          AND (l.origin IS NOT NULL OR l.is_root_job IS NOT TRUE)
        OFFSET 0
    ) child
), lineage (job, in_scope) AS (
    SELECT b.job, true FROM below b
    UNION
    SELECT claim.parent_job_id, false
    FROM lineage a
    CROSS JOIN LATERAL (
        SELECT l.parent_job_id
        FROM llama_logs l
        WHERE {l bears a.job} AND l.parent_job_id IS NOT NULL AND (l.origin IS NOT NULL OR l.is_root_job IS NOT TRUE)
        ORDER BY {earliest l}
        LIMIT 1
    ) claim
), jobs AS (
    -- Asking of each job whether it is among those below would read them all again for each.
    SELECT a.job, bool_or(a.in_scope) AS in_scope FROM lineage a GROUP BY a.job
)
SELECT a.job, claim.parent_job_id, seen.found IS NOT NULL, coalesce(override.adopted, false),
       declared.declared_root_job_id, a.in_scope
FROM jobs a
LEFT JOIN LATERAL (
    SELECT l.parent_job_id
    FROM llama_logs l
    WHERE {l bears a.job} AND l.parent_job_id IS NOT NULL AND (l.origin IS NOT NULL OR l.is_root_job IS NOT TRUE)
    ORDER BY {earliest l}
    LIMIT 1
) claim ON true
{facts}
