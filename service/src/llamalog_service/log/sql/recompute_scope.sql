-- The jobs $1 (text[]) and everything below them are in scope; their ancestors are needed to find the ends.
-- UNION, not UNION ALL: a job is visited once, so that a cycle ends the walk. A root job with a parent, whose
-- normalisation was refused, makes no claim.
INSERT INTO recompute_jobs (job, parent, seen, adopted, declared, in_scope)
WITH RECURSIVE below (job) AS (
    SELECT unnest($1::text[])
    UNION
    SELECT child.job_id
    FROM below b
    {children}
), {above}
{lineage_facts}
