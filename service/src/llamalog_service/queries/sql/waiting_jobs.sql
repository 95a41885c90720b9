-- Jobs never seen that rows without a known root name as their parent, by the earliest such row: at most $3 behind the
-- position $1 (time), $2 (id). What waits for each, at any depth, is counted to $4; nothing between the walk and its LIMIT
-- needs all of it, so that it goes no further.
-- UNION, not UNION ALL: a row is visited once, so that a cycle ends the walk. OFFSET 0: each look-up is by its job, even where
-- the statistics mislead about how many rows are pending.
SELECT w.id, least(greatest(w.created_at, '0001-01-01'), '9999-12-31 23:59:59.999') AT TIME ZONE 'UTC' AS created_at,
       CASE WHEN w.created_at NOT BETWEEN '0001-01-01' AND '9999-12-31 23:59:59.999' THEN w.created_at::text END
           AS odd_time,
       w.job, waiting.rows
FROM (
    SELECT l.id, l.created_at, l.parent_job_id AS job
    FROM llama_logs l
    WHERE l.root_job_id IS NULL AND l.origin = 'PENDING' AND l.parent_job_id IS NOT NULL AND {counts}
      AND (l.created_at, l.id) > ($1::text::timestamp, $2::uuid)
      AND NOT EXISTS (SELECT FROM llama_logs s WHERE {s bears l.parent_job_id} OFFSET 0)
      AND NOT EXISTS (
          SELECT
          FROM (SELECT * FROM llama_logs c WHERE {c names l.parent_job_id} OFFSET 0) e
          WHERE e.root_job_id IS NULL AND e.origin = 'PENDING' AND NOT (e.parent_conflict OR e.retracted AND e.job_id IS NOT NULL)
            AND (e.created_at, e.id) < (l.created_at, l.id)
      )
    ORDER BY l.created_at, l.id
    LIMIT $3::integer
) w
CROSS JOIN LATERAL (
    WITH RECURSIVE below (id, job) AS (
        SELECT l.id, l.job_id
        FROM (SELECT * FROM llama_logs c WHERE {c names w.job} OFFSET 0) l
        WHERE l.origin = 'PENDING' AND {counts}
        UNION
        SELECT l.id, l.job_id
        FROM below b
        CROSS JOIN LATERAL (
            SELECT l.id, l.job_id, l.origin FROM llama_logs l WHERE {l names b.job} AND {counts}
            UNION ALL
            SELECT l.id, l.job_id, l.origin FROM llama_logs l WHERE {l bears b.job}
            OFFSET 0
        ) l
        WHERE l.origin = 'PENDING'
    )
    SELECT count(*) AS rows FROM (SELECT FROM below b LIMIT $4::integer) c
) waiting
ORDER BY w.created_at, w.id
