-- The jobs $1 (text[]) and, if $2, everything below them are in scope; their ancestors are needed to find the ends.
-- UNION, not UNION ALL: a job is visited once, so that a cycle ends the walk. A row of another writer that calls
-- itself a root job makes no claim.
INSERT INTO plan_jobs (job, parent, seen, adopted, declared, in_scope)
WITH RECURSIVE below (job) AS (
    SELECT unnest($1::text[])
    UNION
    SELECT child.job_id
    FROM below b
    CROSS JOIN LATERAL (
        SELECT l.job_id
        FROM llama_logs l
        WHERE $2::boolean AND l.parent_job_id = b.job AND l.job_id IS NOT NULL
          AND (l.origin IS NOT NULL OR NOT l.is_root_job)
        OFFSET 0
    ) child
), lineage (job) AS (
    SELECT b.job FROM below b
    UNION
    SELECT claim.parent_job_id
    FROM lineage a
    CROSS JOIN LATERAL (
        SELECT l.parent_job_id
        FROM llama_logs l
        WHERE l.job_id = a.job AND l.parent_job_id IS NOT NULL AND (l.origin IS NOT NULL OR NOT l.is_root_job)
        ORDER BY l.created_at, l.id
        LIMIT 1
    ) claim
)
SELECT a.job, claim.parent_job_id, seen.found IS NOT NULL, decree.adopted, declared.declared_root_job_id,
       EXISTS (SELECT FROM below b WHERE b.job = a.job)
FROM lineage a
LEFT JOIN LATERAL (
    SELECT l.parent_job_id
    FROM llama_logs l
    WHERE l.job_id = a.job AND l.parent_job_id IS NOT NULL AND (l.origin IS NOT NULL OR NOT l.is_root_job)
    ORDER BY l.created_at, l.id
    LIMIT 1
) claim ON true
LEFT JOIN LATERAL (
    SELECT true AS found FROM llama_logs l WHERE l.job_id = a.job LIMIT 1
) seen ON true
LEFT JOIN LATERAL (
    SELECT l.declared_root_job_id
    FROM llama_logs l
    WHERE l.job_id = a.job AND l.declared_root_job_id IS NOT NULL
    ORDER BY l.created_at, l.id
    LIMIT 1
) declared ON true
LEFT JOIN LATERAL (
    SELECT d.adopted FROM root_decrees d WHERE d.job_id = a.job ORDER BY d.decreed_at DESC, d.id DESC LIMIT 1
) decree ON true
