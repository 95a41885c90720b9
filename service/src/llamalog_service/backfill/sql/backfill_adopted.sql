-- The tops that count as adopted among the planned rows.
SELECT DISTINCT p.root_job_id AS job FROM backfill_plan p WHERE p.origin = 'ADOPTED' ORDER BY p.root_job_id
