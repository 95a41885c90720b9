-- The overrides that no event states, the earliest first.
SELECT id, job_id, adopted, reason, requested_by, overridden_at FROM root_overrides WHERE NOT is_sourced ORDER BY overridden_at, id
