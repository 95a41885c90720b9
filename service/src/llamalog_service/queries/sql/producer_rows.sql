-- The rows of the producer $1 (text), counted to $2.
SELECT count(*)
FROM (
    SELECT FROM llama_logs l WHERE l.producer_id = (SELECT p.id FROM event_producers p WHERE p.source = $1::text) LIMIT $2::integer
) found
