-- The jobs $1 (text[]) and those at which rows start that have the root $3 now and, if $2, everything below them are in scope;
-- their ancestors are needed to find the ends.
-- UNION, not UNION ALL: a job is visited once, so that a cycle ends the walk. A row of another writer that calls
-- itself a root job makes no claim.
INSERT INTO rule_jobs (job, parent, seen, adopted, declared, in_scope)
WITH RECURSIVE below (job) AS (
    (
        SELECT unnest($1::text[])
        UNION ALL
        SELECT coalesce(l.job_id, l.parent_job_id)
        FROM llama_logs l
        WHERE {l stems from $3::text} AND coalesce(l.job_id, l.parent_job_id) IS NOT NULL
    )
    UNION
    SELECT child.job_id
    FROM below b
    CROSS JOIN LATERAL (
        SELECT l.job_id
        FROM llama_logs l
        WHERE $2::boolean AND {l names b.job} AND l.job_id IS NOT NULL AND {claims}
        OFFSET 0
    ) child
), {above}
SELECT a.job, claim.parent_job_id, seen.found IS NOT NULL, override.adopted, declared.declared_root_job_id,
       a.in_scope
FROM jobs a
{facts}
