-- Every job that a row bears or names. A row of another writer that calls itself a root job makes no claim.
-- One pass finds the jobs of which all claims agree; only the others are sorted to find the earliest.
INSERT INTO rule_jobs (job, parent, seen, adopted, declared, in_scope)
WITH named AS (
    SELECT l.job_id AS job, l.created_at, l.id, {declared} AS declared,
           {claimed} AS parent
    FROM llama_logs l
), borne AS MATERIALIZED (
    SELECT s.job, min(s.parent) AS parent, min(s.declared) AS declared,
           min(s.parent) IS DISTINCT FROM max(s.parent) AS parents_differ,
           min(s.declared) IS DISTINCT FROM max(s.declared) AS declarations_differ
    FROM named s
    WHERE s.job IS NOT NULL
    GROUP BY s.job
), claims AS (
    SELECT DISTINCT ON (s.job) s.job, s.parent
    FROM borne b
    JOIN named s USING (job)
    WHERE b.parents_differ AND s.parent IS NOT NULL
    ORDER BY s.job, s.created_at, s.id
), declarations AS (
    SELECT DISTINCT ON (s.job) s.job, s.declared
    FROM borne b
    JOIN named s USING (job)
    WHERE b.declarations_differ AND s.declared IS NOT NULL
    ORDER BY s.job, s.created_at, s.id
), overrides AS (
    SELECT DISTINCT ON (d.job_id) d.job_id AS job, d.adopted
    FROM root_overrides d
    ORDER BY d.job_id, d.overridden_at DESC, d.id DESC
), unseen AS (
    SELECT DISTINCT s.parent AS job
    FROM named s
    WHERE s.parent IS NOT NULL AND NOT EXISTS (SELECT FROM borne b WHERE b.job = s.parent)
)
SELECT b.job, coalesce(c.parent, b.parent), true, a.adopted, coalesce(d.declared, b.declared), true
FROM borne b
LEFT JOIN claims c USING (job)
LEFT JOIN declarations d USING (job)
LEFT JOIN overrides a USING (job)
UNION ALL
SELECT u.job, NULL, false, a.adopted, NULL, true
FROM unseen u
LEFT JOIN overrides a USING (job)
