-- The rows of an album's timeline, at most $2, oldest first: those that name the album $1 (uuid), and those whose
-- root is a root of one that does. OFFSET 0 keeps the planner from reading the whole table for the second part.
WITH roots AS MATERIALIZED (
    SELECT DISTINCT l.root_job_id
    FROM llama_logs l
    WHERE l.album_id = $1::uuid AND l.root_job_id IS NOT NULL
), found AS (
    SELECT l.* FROM llama_logs l WHERE l.album_id = $1::uuid
    UNION ALL
    SELECT below.*
    FROM roots r
    CROSS JOIN LATERAL (
        SELECT l.*
        FROM llama_logs l
        WHERE l.root_job_id = r.root_job_id AND l.album_id IS DISTINCT FROM $1::uuid
        OFFSET 0
    ) below
)
SELECT id, least(greatest(created_at, '0001-01-01'), '9999-12-31 23:59:59.999') AS created_at,
       category, operation, status, entity_type, entity_id, album_id, artist_id, track_id,
       sources, fields_enriched, reason, error_code, error_message, metadata, triggered_by, user_id,
       job_id, parent_job_id, root_job_id, origin, parent_conflict, declared_root_job_id, revision
FROM found
ORDER BY found.created_at, id
LIMIT $2
