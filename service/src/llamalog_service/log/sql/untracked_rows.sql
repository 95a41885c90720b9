-- At most $1 rows that another writer put in with neither job nor parent, but for those that were refused as they are.
SELECT l.id AS row_id, l.root_job_id, l.revision AS revision_now
FROM llama_logs l
WHERE l.origin IS NULL AND l.job_id IS NULL AND l.parent_job_id IS NULL
  AND NOT EXISTS (SELECT FROM refused_rows f WHERE f.row_id = l.id AND f.write = 'root' AND f.seen = l.xmin)
LIMIT $1
