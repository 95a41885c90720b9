-- The parent that a row `l` claims: one of another writer that calls itself a root job claims none, nor does a retracted one for
-- its job.
CASE WHEN l.origin IS NULL AND l.is_root_job OR l.retracted AND l.job_id IS NOT NULL THEN NULL ELSE l.parent_job_id END
