-- From the end `w` of a walk to a job `child` of its job.
SELECT child.job,
       CASE WHEN w.ending = 'OPEN' THEN coalesce(child.declared, w.root) ELSE w.root END,
       w.ending,
       w.depth + 1
FROM walk w
