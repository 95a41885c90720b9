-- Hand the end of every walk down from the tops; a job that is not reached hangs on a cycle.
-- A job has one parent at most, so that nothing is reached twice.
INSERT INTO recompute_ends (job, root, ending, depth)
WITH RECURSIVE walk (job, root, ending, depth) AS (
    {tops}
    UNION ALL
    {step_down}
    CROSS JOIN LATERAL (
        SELECT j.job, j.declared FROM recompute_jobs j WHERE j.parent = w.job OFFSET 0
    ) child
)
SELECT job, root, ending, depth FROM walk
