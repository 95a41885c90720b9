-- The tops that count as adopted among the planned rows and that have no override yet.
SELECT DISTINCT p.root_job_id AS job
FROM backfill_plan p
WHERE p.origin = 'ADOPTED' AND NOT EXISTS (SELECT FROM root_overrides d WHERE d.job_id = p.root_job_id)
ORDER BY p.root_job_id
