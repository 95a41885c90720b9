-- The rows of the user $1 that a repair has removed.
SELECT r.row_id, r.removed_at, r.content
FROM removed_rows r
WHERE r.content ->> 'user_id' = $1
ORDER BY r.removed_at, r.row_id
