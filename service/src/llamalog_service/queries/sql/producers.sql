-- The producers with their rows and the time of their last event, those of the most rows first, at most $1; each row of the
-- log is read once. Rows without a producer are counted by the reason.
SELECT p.source AS producer, counted.rows,
       least(greatest(counted.last, '0001-01-01'), '9999-12-31 23:59:59.999') AT TIME ZONE 'UTC' AS last_event_at,
       counted.is_legacy
FROM (
    SELECT l.producer_id, l.producer_id IS NULL AND (l.legacy_sourced IS NOT NULL OR l.origin IS NULL) AS is_legacy,
           count(*) AS rows, max(l.created_at) AS last
    FROM llama_logs l
    GROUP BY 1, 2
) counted
LEFT JOIN event_producers p ON p.id = counted.producer_id
ORDER BY p.source IS NULL DESC, counted.rows DESC, p.source
LIMIT $1::integer
