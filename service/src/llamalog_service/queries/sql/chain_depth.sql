-- Of the jobs $1 (text[]) the one with most jobs above it, counted up to 100; jobs that hang on a cycle have no top.
WITH RECURSIVE walk (start, job, depth) AS (
    SELECT j.job, j.job, 0 FROM unnest($1::text[]) AS j (job)
    UNION ALL
    SELECT w.start, claim.parent_job_id::text, w.depth + 1
    FROM walk w
    CROSS JOIN LATERAL (
        SELECT l.parent_job_id
        FROM llama_logs l
        WHERE {l bears w.job} AND l.parent_job_id IS NOT NULL AND {l stands}
        ORDER BY {earliest}
        LIMIT 1
    ) claim
    WHERE w.depth < 100
) CYCLE job SET is_cycle USING path
SELECT start AS job, max(depth) AS depth
FROM walk
GROUP BY start
HAVING NOT bool_or(is_cycle)
ORDER BY max(depth) DESC, start
LIMIT 1
