-- Insert the overrides $1 of the shadow into the live table.
INSERT INTO root_overrides (id, job_id, adopted, reason, requested_by, overridden_at, is_sourced)
SELECT id, job_id, adopted, reason, requested_by, overridden_at, true FROM llamalog_rebuild.root_overrides
WHERE id = ANY ($1::uuid[])
