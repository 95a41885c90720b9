-- The rows of the timeline of the entity $1 (uuid) of the type $2 (text), at most $7 behind the place $4 (time),
-- $5 (whether the row does not call itself a root job's), $6 (id): those whose root is a root of a row that names the
-- entity, and if $3, those that name it and have no known root. OFFSET 0: else the planner may read by time.
-- One of the rows also bears the parents that count of all jobs in them and above, of the nearest $9; there the walk ends. UNION, not UNION ALL: a job is visited
-- once, so that a cycle ends the walk.
-- The first row is given; of the others those that keep all of them within $8 bytes of JSON, and one more, told as
-- `beyond`. What is small is weighed as it is kept; what is compressed as the text that it will be. There OFFSET 0 has a
-- row weighed once.
WITH RECURSIVE named AS MATERIALIZED (
    SELECT l.id, l.created_at, l.is_root_job, l.root_job_id
    FROM llama_logs l
    WHERE l.entity_id = $1::uuid
      AND (l.entity_type::text = $2::text
           OR CASE $2::text WHEN 'ALBUM' THEN l.album_id WHEN 'ARTIST' THEN l.artist_id ELSE l.track_id END = $1::uuid)
    UNION ALL
    SELECT l.id, l.created_at, l.is_root_job, l.root_job_id
    FROM llama_logs l
    WHERE $2::text = 'ALBUM' AND l.album_id = $1::uuid AND l.album_id IS DISTINCT FROM l.entity_id
    UNION ALL
    SELECT l.id, l.created_at, l.is_root_job, l.root_job_id
    FROM llama_logs l
    WHERE $2::text = 'ARTIST' AND l.artist_id = $1::uuid AND l.artist_id IS DISTINCT FROM l.entity_id
    UNION ALL
    SELECT l.id, l.created_at, l.is_root_job, l.root_job_id
    FROM llama_logs l
    WHERE $2::text = 'TRACK' AND l.track_id = $1::uuid AND l.track_id IS DISTINCT FROM l.entity_id
), roots AS MATERIALIZED (
    SELECT DISTINCT n.root_job_id FROM named n WHERE n.root_job_id IS NOT NULL
), places AS (
    SELECT n.id, n.created_at, n.is_root_job
    FROM named n
    WHERE $3::boolean AND n.root_job_id IS NULL
      AND (n.created_at, NOT n.is_root_job, n.id) > ($4::text::timestamp, $5::boolean, $6::uuid)
    UNION ALL
    SELECT below.id, below.created_at, below.is_root_job
    FROM roots r
    CROSS JOIN LATERAL (
        SELECT l.id, l.created_at, l.is_root_job
        FROM llama_logs l
        WHERE l.root_job_id = r.root_job_id
          AND (l.created_at, NOT l.is_root_job, l.id) > ($4::text::timestamp, $5::boolean, $6::uuid)
        OFFSET 0
    ) below
    ORDER BY created_at, is_root_job DESC, id
    LIMIT $7::integer
), weighed AS (
    SELECT l.*, row_number() OVER w AS number, sum(l.bytes) OVER w - l.bytes AS before
    FROM (
        SELECT l.*, {bytes} AS bytes
        FROM places p JOIN llama_logs l ON l.id = p.id
        OFFSET 0
    ) l
    WINDOW w AS (ORDER BY l.created_at, l.is_root_job DESC, l.id ROWS UNBOUNDED PRECEDING)
), page AS MATERIALIZED (
    SELECT l.*, l.number > 1 AND l.before + l.bytes > $8::bigint AS beyond
    FROM weighed l
    WHERE l.number <= 2 OR l.before <= $8::bigint
), {lineage}
SELECT {row}, l.beyond,
       CASE WHEN row_number() OVER () = 1 THEN (
           SELECT jsonb_object_agg(a.job, a.parent) FROM (SELECT * FROM lineage LIMIT $9::integer) a
       ) END AS parents,
       (SELECT n.name
        FROM (
            SELECT {name} AS name
            FROM llama_logs l
            WHERE l.entity_id = $1::uuid AND l.entity_type::text = $2::text
            ORDER BY l.created_at DESC, l.id DESC
            LIMIT 1000
        ) n
        WHERE n.name IS NOT NULL
        LIMIT 1) AS entity_name
FROM page l
ORDER BY l.created_at, l.is_root_job DESC, l.id
