-- The rows of $1 (uuid[]) that are in the table; $2 (boolean): with their JSON, else NULL in its place.
SELECT {stored}
FROM llama_logs l
WHERE l.id = ANY ($1::uuid[])
