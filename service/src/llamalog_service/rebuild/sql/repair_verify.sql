-- The differing rows that are not as the shadow has them after the repair, with the reason where one was noted: on one side
-- only, of another content, or with roots that are not written, or that were changed back once they were.
SELECT d.id, f.reason
FROM llamalog_rebuild.differences d
LEFT JOIN live l ON l.id = d.id
LEFT JOIN decoded s ON s.id = d.id
LEFT JOIN LATERAL (SELECT t.xmin AS version, t.revision FROM llama_logs t WHERE t.id = d.id) t ON true
LEFT JOIN LATERAL (
    SELECT r.reason FROM refused_rows r WHERE r.row_id = d.id AND r.seen = t.version ORDER BY r.last_at DESC LIMIT 1
) f ON true
WHERE NOT d.corrected
  AND ((l.id IS NULL) <> (s.id IS NULL)
       OR to_jsonb(l) - ARRAY['root_job_id', 'origin', 'cycle_members', 'parent_conflict'] IS DISTINCT FROM to_jsonb(s)
       OR f.reason IS NOT NULL
       OR d.kind = 'different' AND t.revision = d.revision)
ORDER BY d.id
