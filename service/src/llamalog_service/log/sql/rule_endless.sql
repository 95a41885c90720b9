-- The jobs that no top leads to, with their parents: on a cycle, or below one.
SELECT j.job, j.parent FROM rule_jobs j WHERE NOT EXISTS (SELECT FROM rule_ends e WHERE e.job = j.job)
