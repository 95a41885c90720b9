-- The tops that count as adopted among the planned rows, but by the latest override do so no longer.
SELECT tops.job
FROM (SELECT DISTINCT p.root_job_id AS job FROM backfill_plan p WHERE p.origin = 'ADOPTED') tops
JOIN (
    SELECT DISTINCT ON (d.job_id) d.job_id, d.adopted
    FROM root_overrides d
    ORDER BY d.job_id, d.overridden_at DESC, d.id DESC
) latest ON latest.job_id = tops.job
WHERE NOT latest.adopted
ORDER BY tops.job
