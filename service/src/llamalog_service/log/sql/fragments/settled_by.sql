-- A row that had neither root nor origin notes the correction that gives it one, in place of an entry in the history.
CASE WHEN l.origin IS NULL AND l.root_job_id IS NULL THEN (SELECT id FROM new_correction) ELSE l.settled_by END
