-- Every job that a row bears or names is in scope. A root job with a parent, whose normalisation was refused, makes no
-- claim.
INSERT INTO recompute_jobs (job, parent, seen, adopted, declared, in_scope)
WITH borne AS (
    SELECT l.job_id AS job FROM llama_logs l WHERE l.job_id IS NOT NULL GROUP BY l.job_id
), claims AS (
    SELECT DISTINCT ON (l.job_id) l.job_id AS job, l.parent_job_id
    FROM llama_logs l
    WHERE l.job_id IS NOT NULL AND l.parent_job_id IS NOT NULL AND {claims}
    ORDER BY l.job_id, l.created_at, l.id
), declarations AS (
    SELECT DISTINCT ON (l.job_id) l.job_id AS job, l.declared_root_job_id
    FROM llama_logs l
    WHERE l.job_id IS NOT NULL AND l.declared_root_job_id IS NOT NULL AND {l stands}
    ORDER BY l.job_id, l.created_at, l.id
), overrides AS (
    SELECT DISTINCT ON (d.job_id) d.job_id AS job, d.adopted
    FROM root_overrides d
    ORDER BY d.job_id, d.overridden_at DESC, d.id DESC
), named AS (
    SELECT b.job FROM borne b
    UNION
    SELECT l.parent_job_id FROM llama_logs l WHERE l.parent_job_id IS NOT NULL
)
SELECT n.job, c.parent_job_id, b.job IS NOT NULL, coalesce(a.adopted, false), d.declared_root_job_id, true
FROM named n
LEFT JOIN borne b USING (job)
LEFT JOIN claims c USING (job)
LEFT JOIN declarations d USING (job)
LEFT JOIN overrides a USING (job)
