-- The roots that another program computed are kept aside before the rule overrules them.
INSERT INTO legacy_values (row_id, root_job_id)
SELECT l.id, l.root_job_id
FROM llama_logs l
WHERE l.origin IS NULL
  AND l.root_job_id IS NOT NULL
  AND NOT EXISTS (SELECT FROM legacy_values v WHERE v.row_id = l.id AND v.root_job_id IS NOT NULL)
ON CONFLICT (row_id) DO UPDATE
SET root_job_id = coalesce(legacy_values.root_job_id, excluded.root_job_id)
