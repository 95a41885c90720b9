-- The overrides that no event states, the earliest first.
SELECT id, job_id, adopted, reason, requested_by, decreed_at FROM root_decrees WHERE NOT told ORDER BY decreed_at, id
