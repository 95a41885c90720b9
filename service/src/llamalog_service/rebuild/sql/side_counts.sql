-- Counts of SIDE, one of the views `live` and `rebuilt`, by category, origin and day, with a sum of hashes that does not
-- depend on the order of rows: of the rows of the roots $1 or about the entities $2, of all where both are empty.
SELECT category, origin, created_at::date::text AS day, count(*) AS rows,
       sum(hash_record_extended(r::record, 0)) AS hashes
FROM SIDE r
WHERE ($1::text[] = '{}' AND $2::uuid[] = '{}' OR root_job_id = ANY ($1)
       OR ARRAY[entity_id, artist_id, album_id, track_id] && $2)
GROUP BY category, origin, created_at::date
