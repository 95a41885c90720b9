-- The next $2 differences after the row $1 (NULL: from the beginning) that are not repaired.
SELECT id, starts
FROM llamalog_rebuild.differences
WHERE NOT repaired AND NOT corrected AND ($1::uuid IS NULL OR id > $1)
ORDER BY id
LIMIT $2
