-- A row of another writer that calls itself a root job claims no parent.
(l.origin IS NOT NULL OR l.is_root_job IS NOT TRUE)
