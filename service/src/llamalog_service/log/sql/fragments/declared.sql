-- The root that a row `l` declares: a retracted one declares none.
CASE WHEN NOT l.retracted THEN l.declared_root_job_id END
