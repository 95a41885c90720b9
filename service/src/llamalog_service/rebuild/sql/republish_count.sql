-- How many rows follow the id $1 (NULL: all), recorded since $2 (NULL: all), and of the roots $3 or about the entities $4
-- (both empty: all).
SELECT count(*)
FROM llama_logs l
WHERE ($1::uuid IS NULL OR l.id > $1)
  AND ($2::timestamptz IS NULL OR l.recorded_at >= $2)
  AND ($3::text[] = '{}' AND $4::uuid[] = '{}' OR l.root_job_id = ANY ($3)
       OR ARRAY[l.entity_id, l.artist_id, l.album_id, l.track_id] && $4)
