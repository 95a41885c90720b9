-- Of the albums $1 (uuid[]) the one whose timeline shows most: a late parent healed, then many sorts of things,
-- then few rows.
SELECT a.album_id
FROM unnest($1::uuid[]) AS a (album_id)
JOIN llama_logs l ON l.album_id = a.album_id
GROUP BY a.album_id
ORDER BY bool_or(l.revision > 1) DESC, count(DISTINCT l.category) DESC, count(*), a.album_id
LIMIT 1
