-- The rows that are about the entity $7 (uuid) of the type $8 (text), or name it as their album, artist or track.
SELECT l.id, l.created_at, l.is_root_job, l.root_job_id
FROM llama_logs l
WHERE {l is about $7::uuid}
  AND (l.entity_type::text = $8::text
       OR CASE $8::text WHEN 'ALBUM' THEN l.album_id WHEN 'ARTIST' THEN l.artist_id ELSE l.track_id END = $7::uuid)
UNION ALL
SELECT l.id, l.created_at, l.is_root_job, l.root_job_id
FROM llama_logs l
WHERE $8::text = 'ALBUM' AND l.album_id = $7::uuid AND l.album_id IS DISTINCT FROM l.entity_id
UNION ALL
SELECT l.id, l.created_at, l.is_root_job, l.root_job_id
FROM llama_logs l
WHERE $8::text = 'ARTIST' AND l.artist_id = $7::uuid AND l.artist_id IS DISTINCT FROM l.entity_id
UNION ALL
SELECT l.id, l.created_at, l.is_root_job, l.root_job_id
FROM llama_logs l
WHERE $8::text = 'TRACK' AND l.track_id = $7::uuid AND l.track_id IS DISTINCT FROM l.entity_id
