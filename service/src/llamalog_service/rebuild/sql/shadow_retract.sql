-- Mark the shadow's rows as their latest retractions or revocations want them.
UPDATE llamalog_rebuild.llama_logs l
SET retracted = latest.retracted
FROM (
    SELECT DISTINCT ON (t.row_id) t.row_id, t.retracted
    FROM llamalog_rebuild.retractions t
    ORDER BY t.row_id, t.retracted_at DESC, t.id DESC
) latest
WHERE l.id = latest.row_id AND l.retracted IS DISTINCT FROM latest.retracted
