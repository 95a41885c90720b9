-- Hand the end of every walk down from the tops; a job that is not reached hangs on a cycle.
-- A job has one parent at most, so that nothing is reached twice.
INSERT INTO recompute_ends (job, root, ending, depth)
WITH RECURSIVE walk (job, root, ending, depth) AS (
    SELECT j.job,
           CASE WHEN j.seen OR j.adopted THEN j.job END,
           CASE WHEN j.seen THEN 'SEEN' WHEN j.adopted THEN 'ADOPTED' ELSE 'OPEN' END,
           0
    FROM recompute_jobs j
    WHERE j.parent IS NULL
    UNION ALL
    SELECT child.job,
           CASE WHEN w.ending = 'OPEN' THEN coalesce(child.declared, w.root) ELSE w.root END,
           w.ending,
           w.depth + 1
    FROM walk w
    CROSS JOIN LATERAL (
        SELECT j.job, j.declared FROM recompute_jobs j WHERE j.parent = w.job OFFSET 0
    ) child
)
SELECT job, root, ending, depth FROM walk
