-- The next $2 decrees after $1 (NULL: from the first).
SELECT id, job_id, adopted, reason, requested_by, decreed_at
FROM root_decrees
WHERE $1::uuid IS NULL OR id > $1
ORDER BY id
LIMIT $2
