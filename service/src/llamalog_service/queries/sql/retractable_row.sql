-- What a retraction of the row $1 (uuid) has to know: whether it is in the log, whose event it is, and its latest retraction or
-- revocation.
SELECT l.id IS NOT NULL AS is_recorded, l.operation, {producer} AS producer, last.retracted, last.reason, last.requested_by,
       last.retracted_at AT TIME ZONE 'UTC' AS retracted_at
FROM (SELECT) AS one
LEFT JOIN llama_logs l ON l.id = $1::uuid
LEFT JOIN LATERAL (
    SELECT t.retracted, t.reason, t.requested_by, t.retracted_at
    FROM retractions t
    WHERE t.row_id = $1::uuid
    ORDER BY t.retracted_at DESC, t.id DESC
    LIMIT 1
) last ON true
