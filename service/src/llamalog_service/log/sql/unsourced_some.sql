-- Some $1 rows without a source event that was read.
SELECT l.id
FROM llama_logs l
WHERE l.legacy_sourced IS FALSE OR l.legacy_sourced IS NULL AND l.origin IS NULL
ORDER BY l.id
LIMIT $1
