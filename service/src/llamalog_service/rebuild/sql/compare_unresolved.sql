-- Remove differences of live rows that are not resolved yet and differ in their roots alone. The parent of a row with
-- is_root_job is no difference either: it makes no claim.
DELETE FROM llamalog_rebuild.differences d
USING llama_logs l
WHERE l.id = d.id AND d.kind = 'different' AND l.origin IS NULL
  AND d.columns <@ (
      ARRAY['root_job_id', 'origin', 'cycle_members', 'parent_conflict']
      || CASE WHEN l.is_root_job AND d.rebuilt ->> 'parent_job_id' IS NULL THEN ARRAY['parent_job_id'] ELSE '{}' END
  )
