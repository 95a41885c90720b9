-- The rows of the timeline of the entity $7 (uuid) of the type $8 (text), at most $4 behind the position $1 (time),
-- $2 (whether the row does not call itself a root job's), $3 (id): those whose root is a root of a row that names the
-- entity, and if $9, those that name it and have no known root. OFFSET 0: else the planner may read by time.
WITH RECURSIVE named AS MATERIALIZED (
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
), roots AS MATERIALIZED (
    SELECT DISTINCT n.root_job_id FROM named n WHERE n.root_job_id IS NOT NULL
), places AS (
    SELECT n.id, n.created_at, n.is_root_job
    FROM named n
    WHERE $9::boolean AND n.root_job_id IS NULL
      AND (n.created_at, NOT n.is_root_job, n.id) > ($1::text::timestamp, $2::boolean, $3::uuid)
    UNION ALL
    SELECT below.id, below.created_at, below.is_root_job
    FROM roots r
    CROSS JOIN LATERAL (
        SELECT l.id, l.created_at, l.is_root_job
        FROM llama_logs l
        WHERE {l stems from r.root_job_id}
          AND (l.created_at, NOT l.is_root_job, l.id) > ($1::text::timestamp, $2::boolean, $3::uuid)
        OFFSET 0
    ) below
    ORDER BY created_at, is_root_job DESC, id
    LIMIT $4::integer
), {piece}
SELECT {row}, l.beyond, l.parents,
       (SELECT n.name
        FROM (
            SELECT {name} AS name
            FROM llama_logs l
            WHERE {l is about $7::uuid} AND l.entity_type::text = $8::text
            ORDER BY {second of l.created_at} DESC, l.created_at DESC, l.id DESC
            LIMIT 1000
        ) n
        WHERE n.name IS NOT NULL
        LIMIT 1) AS entity_name
FROM piece l
ORDER BY l.created_at, l.is_root_job DESC, l.id
