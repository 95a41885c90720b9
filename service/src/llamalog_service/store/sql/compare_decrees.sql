-- Decrees that one side has and the other has not, or has otherwise.
SELECT coalesce(l.id, s.id) AS id,
       CASE WHEN l.id IS NULL THEN 'missing' WHEN s.id IS NULL THEN 'extra' ELSE 'different' END AS kind
FROM root_decrees l
FULL JOIN llamalog_rebuild.root_decrees s ON s.id = l.id
WHERE l.id IS NULL OR s.id IS NULL
   OR (l.job_id, l.adopted, l.reason, l.requested_by, l.decreed_at)
      IS DISTINCT FROM (s.job_id, s.adopted, s.reason, s.requested_by, s.decreed_at)
