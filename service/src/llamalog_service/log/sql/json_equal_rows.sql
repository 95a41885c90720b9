-- Of the events $1 (uuid[]) with metadata $2 (jsonb[]) and preview data $3 (jsonb[]), the numbers of those whose
-- row in the table has the same. Each row is looked up by itself: no other row is read.
SELECT event.number
FROM unnest($1::uuid[], $2::jsonb[], $3::jsonb[]) WITH ORDINALITY AS event (id, metadata, preview_data, number)
CROSS JOIN LATERAL (SELECT l.metadata, l.preview_data FROM llama_logs l WHERE l.id = event.id OFFSET 0) row
WHERE row.metadata IS NOT DISTINCT FROM event.metadata AND row.preview_data IS NOT DISTINCT FROM event.preview_data
ORDER BY event.number
