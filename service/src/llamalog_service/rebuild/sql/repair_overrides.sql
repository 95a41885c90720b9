-- Insert the overrides that the live table lacks, and update those that differ. Returns their jobs.
INSERT INTO root_decrees AS l (id, job_id, adopted, reason, requested_by, decreed_at, told)
SELECT id, job_id, adopted, reason, requested_by, decreed_at, true FROM llamalog_rebuild.root_decrees
WHERE partition >= 0
ON CONFLICT (id) DO UPDATE
SET job_id = excluded.job_id, adopted = excluded.adopted, reason = excluded.reason,
    requested_by = excluded.requested_by, decreed_at = excluded.decreed_at
WHERE (l.job_id, l.adopted, l.reason, l.requested_by, l.decreed_at)
      IS DISTINCT FROM (excluded.job_id, excluded.adopted, excluded.reason, excluded.requested_by, excluded.decreed_at)
RETURNING job_id
