-- A row of another writer that calls itself a root job claims no parent, and no retracted row does for its job.
(l.origin IS NOT NULL OR l.is_root_job IS NOT TRUE) AND {l stands, or has no job}
