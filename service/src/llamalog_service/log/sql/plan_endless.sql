-- The jobs that no top leads to, with their parents: on a cycle, or below one.
SELECT j.job, j.parent FROM plan_jobs j WHERE NOT EXISTS (SELECT FROM plan_ends e WHERE e.job = j.job)
