-- Counts of both sides by category, origin and day, with a sum of hashes that does not depend on the order of rows: of
-- the rows of the roots $1 or about the entities $2, of all where both are empty.
SELECT 'live' AS side, category, origin, created_at::date::text AS day, count(*) AS rows,
       sum(hash_record_extended(l::record, 0)) AS hashes
FROM live l
WHERE ($1::text[] = '{}' AND $2::uuid[] = '{}' OR root_job_id = ANY ($1)
       OR ARRAY[entity_id, artist_id, album_id, track_id] && $2)
GROUP BY category, origin, created_at::date
UNION ALL
SELECT 'rebuilt', category, origin, created_at::date::text, count(*), sum(hash_record_extended(r::record, 0))
FROM rebuilt r
WHERE ($1::text[] = '{}' AND $2::uuid[] = '{}' OR root_job_id = ANY ($1)
       OR ARRAY[entity_id, artist_id, album_id, track_id] && $2)
GROUP BY category, origin, created_at::date
