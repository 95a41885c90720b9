-- The next $2 differences after the row $1 (NULL: from the beginning) that nobody has mended.
SELECT id, starts
FROM llamalog_rebuild.differences
WHERE NOT mended AND NOT corrected AND ($1::uuid IS NULL OR id > $1)
ORDER BY id
LIMIT $2
