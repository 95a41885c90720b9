-- The row $1.
SELECT {row}
FROM llama_logs l
WHERE l.id = $1::uuid
