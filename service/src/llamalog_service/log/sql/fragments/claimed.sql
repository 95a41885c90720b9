-- The parent that a row `l` claims: one of another writer that calls itself a root job claims none.
CASE WHEN l.origin IS NULL AND l.is_root_job THEN NULL ELSE l.parent_job_id END
