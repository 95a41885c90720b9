-- Correct the rows of the jobs $1 (text[]) and of everything below them, without work tables, if they are few: at most $2 jobs
-- in all lineages and $3 rows, no cycle, no row of another writer to be normalised first, and no trigger of the table's owner
-- that runs after a row was written. Else `is_few` is false and nothing is written. It returns what recompute_write does, and
-- the job with most jobs above it. No statement before it has to fill a table, so that its plan can be kept.
WITH RECURSIVE reached (job) AS (
    SELECT unnest($1::text[])
    UNION
    SELECT child.job_id
    FROM reached b
    {children}
), below AS MATERIALIZED (
    SELECT r.job FROM reached r LIMIT $2::integer + 1
), {above}, recompute_jobs (job, parent, seen, adopted, declared, in_scope) AS MATERIALIZED (
    {lineage_facts}
), small AS MATERIALIZED (
    SELECT count(*) <= $2::integer
           AND NOT EXISTS (
               SELECT FROM llama_logs l WHERE l.origin IS NULL AND l.is_root_job AND l.parent_job_id IS NOT NULL)
           AND NOT {has_late_triggers} AS is_small
    FROM recompute_jobs
), walk (job, root, ending, depth) AS (
    {tops} AND (SELECT is_small FROM small)
    UNION ALL
    {step_down}
    JOIN recompute_jobs child ON child.parent = w.job
), recompute_ends AS MATERIALIZED (
    SELECT w.job, w.root, w.ending, w.depth, NULL::text[] AS cycle_members FROM walk w
), differing AS MATERIALIZED (
    SELECT d.*
    FROM ({differing_rows}) d
    WHERE (SELECT count(*) FROM recompute_jobs) = (SELECT count(*) FROM recompute_ends)
    LIMIT $3::integer + 1
), few AS MATERIALIZED (
    SELECT s.is_small
           AND (SELECT count(*) FROM recompute_jobs) = (SELECT count(*) FROM recompute_ends)
           AND (SELECT count(*) FROM differing) <= $3::integer AS is_few
    FROM small s
), wanted AS (
    SELECT d.* FROM differing d WHERE (SELECT is_few FROM few)
), {correction}
SELECT few.is_few, deepest.job AS deepest, deepest.depth, grouped.*,
       (SELECT count(*) FROM wanted) - (SELECT count(*) FROM changed WHERE as_wanted) AS ineffective
FROM few
LEFT JOIN (
    SELECT e.job, e.depth FROM recompute_ends e ORDER BY e.depth DESC, e.job LIMIT 1
) deepest ON true
{correction_sums}
