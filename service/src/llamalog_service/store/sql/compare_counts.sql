-- Both sides in numbers, of the rows that $1 (root) and $2 (entity) mean, NULL: of all: by category, origin and day, with
-- a sum over the rows that is the same in whatever order they come.
SELECT 'live' AS side, category, origin, created_at::date::text AS day, count(*) AS rows,
       sum(hash_record_extended(l::record, 0)) AS hashes
FROM live l
WHERE ($1::text IS NULL OR root_job_id = $1)
  AND ($2::uuid IS NULL OR $2 IN (entity_id, artist_id, album_id, track_id))
GROUP BY category, origin, created_at::date
UNION ALL
SELECT 'rebuilt', category, origin, created_at::date::text, count(*), sum(hash_record_extended(r::record, 0))
FROM rebuilt r
WHERE ($1::text IS NULL OR root_job_id = $1)
  AND ($2::uuid IS NULL OR $2 IN (entity_id, artist_id, album_id, track_id))
GROUP BY category, origin, created_at::date
