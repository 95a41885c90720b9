-- Insert those of the overrides $1 that the live table lacks, and update those that differ. Returns their jobs.
INSERT INTO root_overrides AS l (id, job_id, adopted, reason, requested_by, overridden_at, is_sourced)
SELECT id, job_id, adopted, reason, requested_by, overridden_at, true FROM llamalog_rebuild.root_overrides
WHERE partition >= 0 AND id = ANY ($1::uuid[])
ON CONFLICT (id) DO UPDATE
SET job_id = excluded.job_id, adopted = excluded.adopted, reason = excluded.reason,
    requested_by = excluded.requested_by, overridden_at = excluded.overridden_at
WHERE (l.job_id, l.adopted, l.reason, l.requested_by, l.overridden_at)
      IS DISTINCT FROM (excluded.job_id, excluded.adopted, excluded.reason, excluded.requested_by, excluded.overridden_at)
RETURNING job_id
