-- Insert every override of the shadow into the live table.
INSERT INTO root_decrees (id, job_id, adopted, reason, requested_by, decreed_at, told)
SELECT id, job_id, adopted, reason, requested_by, decreed_at, true FROM llamalog_rebuild.root_decrees
