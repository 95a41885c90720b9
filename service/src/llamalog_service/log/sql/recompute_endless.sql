-- The jobs that no top leads to, with their parents: on a cycle, or below one.
SELECT j.job, j.parent FROM recompute_jobs j WHERE NOT EXISTS (SELECT FROM recompute_ends e WHERE e.job = j.job)
