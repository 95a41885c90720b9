-- Leave out live rows without an event that nobody has looked at yet: their roots are not worked out, which is no
-- difference.
DELETE FROM llamalog_rebuild.differences d
USING llama_logs l
WHERE l.id = d.id AND d.kind = 'different' AND l.origin IS NULL
