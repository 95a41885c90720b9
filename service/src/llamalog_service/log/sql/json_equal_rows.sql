-- Of the events $1 (uuid[]) with metadata $2 (jsonb[]) and preview data $3 (jsonb[]), the numbers of those whose
-- row in the table has the same.
SELECT event.number
FROM unnest($1::uuid[], $2::jsonb[], $3::jsonb[]) WITH ORDINALITY AS event (id, metadata, preview_data, number)
JOIN llama_logs AS row ON row.id = event.id
WHERE row.metadata IS NOT DISTINCT FROM event.metadata AND row.preview_data IS NOT DISTINCT FROM event.preview_data
ORDER BY event.number
