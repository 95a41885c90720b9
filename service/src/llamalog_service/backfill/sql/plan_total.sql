-- How many rows were created from $1 up to before $2 (NULL: at any time).
SELECT count(*)
FROM llama_logs
WHERE ($1::timestamp IS NULL OR created_at >= $1) AND ($2::timestamp IS NULL OR created_at < $2)
