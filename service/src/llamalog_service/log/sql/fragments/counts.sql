-- The parent of a row `l` is the one that counts for its job, or it has no job.
NOT l.parent_conflict AND {l stands, or has no job}
