-- Leave out live rows that nobody has looked at yet and that differ in their roots alone: these are not worked out, which
-- is no difference; nor is the parent of one that calls itself a root job, which will not count.
DELETE FROM llamalog_rebuild.differences d
USING llama_logs l
WHERE l.id = d.id AND d.kind = 'different' AND l.origin IS NULL
  AND d.columns <@ (
      ARRAY['root_job_id', 'origin', 'cycle_members', 'parent_conflict']
      || CASE WHEN l.is_root_job AND d.rebuilt ->> 'parent_job_id' IS NULL THEN ARRAY['parent_job_id'] ELSE '{}' END
  )
