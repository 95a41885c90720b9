-- Hand the end of every walk down from the tops; a job that is not reached hangs on a cycle.
-- A job has one parent at most, so that nothing is reached twice.
INSERT INTO rule_ends (job, parent, top, root, ending, in_scope)
WITH RECURSIVE walk (job, parent, top, root, ending, in_scope) AS (
    SELECT j.job, j.parent, j.job,
           CASE WHEN j.seen OR j.adopted THEN j.job END,
           CASE WHEN j.seen THEN 'SEEN' WHEN j.adopted THEN 'ADOPTED' ELSE 'OPEN' END,
           j.in_scope
    FROM rule_jobs j
    WHERE j.parent IS NULL
    UNION ALL
    SELECT child.job, w.job, w.top,
           CASE WHEN w.ending = 'OPEN' THEN coalesce(child.declared, w.root) ELSE w.root END,
           w.ending, child.in_scope
    FROM walk w
    JOIN rule_jobs child ON child.parent = w.job
)
SELECT job, parent, top, root, ending, in_scope FROM walk
