-- The rows that another writer put in as root jobs with a parent, but for those that were refused as they are.
SELECT l.id AS row_id, l.job_id, l.parent_job_id
FROM llama_logs l
WHERE l.origin IS NULL AND l.is_root_job AND l.parent_job_id IS NOT NULL
  AND NOT EXISTS (SELECT FROM refused_rows f WHERE f.row_id = l.id AND f.write = 'claim' AND f.seen = l.xmin)
FOR UPDATE OF l
