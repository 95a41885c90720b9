-- Of the albums $1 (uuid[]) the one whose timeline shows most: rows corrected after a late parent first,
-- then many kinds of entities, then few rows.
SELECT a.album_id
FROM unnest($1::uuid[]) AS a (album_id)
CROSS JOIN LATERAL (
    SELECT l.revision, l.category FROM llama_logs l WHERE l.entity_id = a.album_id AND l.album_id = a.album_id
    UNION ALL
    SELECT l.revision, l.category
    FROM llama_logs l
    WHERE l.album_id = a.album_id AND l.album_id IS DISTINCT FROM l.entity_id
) l
GROUP BY a.album_id
ORDER BY bool_or(l.revision > 1) DESC, count(DISTINCT l.category) DESC, count(*), a.album_id
LIMIT 1
