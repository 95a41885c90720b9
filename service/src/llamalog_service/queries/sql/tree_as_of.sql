-- As tree, by the roots that rows had at the time $8 and the claims that counted then; rows recorded later are left out. What a
-- row bears besides its root is as it is now.
WITH RECURSIVE moment AS MATERIALIZED (
    SELECT $8::timestamptz AS at
), stemming AS MATERIALIZED (
    SELECT l.id, l.created_at, l.is_root_job, l.job_id, past.origin
    FROM (SELECT $7::text AS root) wanted
    {stemming_then}
), root AS MATERIALIZED (
    SELECT EXISTS (
        SELECT FROM stemming s WHERE s.job_id = $7::text AND s.origin = 'ROOT' OR s.origin = 'ADOPTED'
    ) AS is_one
), below (job) AS (
    SELECT $7::text FROM root WHERE NOT root.is_one
    UNION
    SELECT child.job_id
    FROM below b
    CROSS JOIN LATERAL (
        SELECT c.job_id
        FROM llama_logs c
        WHERE {c names b.job} AND c.job_id IS NOT NULL AND c.recorded_at <= (SELECT m.at FROM moment m)
          AND NOT {c was retracted at (SELECT m.at FROM moment m)}
          AND NOT EXISTS (
              SELECT FROM llama_logs e
              WHERE {e bears c.job_id} AND e.parent_job_id IS NOT NULL AND e.recorded_at <= (SELECT m.at FROM moment m)
                AND (e.created_at, e.id) < (c.created_at, c.id)
                AND NOT {e was retracted at (SELECT m.at FROM moment m)}
              OFFSET 0
          )
        OFFSET 0
    ) child
), found AS (
    SELECT s.id, s.created_at, s.is_root_job FROM stemming s
    UNION
    SELECT r.id, r.created_at, r.is_root_job
    FROM below b
    CROSS JOIN LATERAL (
        SELECT l.id, l.created_at, l.is_root_job, l.recorded_at FROM llama_logs l WHERE {l bears b.job} OFFSET 0
    ) r
    WHERE r.recorded_at <= (SELECT m.at FROM moment m)
    UNION
    SELECT r.id, r.created_at, r.is_root_job
    FROM below b
    CROSS JOIN LATERAL (
        SELECT l.id, l.created_at, l.is_root_job, l.recorded_at
        FROM llama_logs l
        WHERE {l names b.job} AND l.job_id IS NULL
        OFFSET 0
    ) r
    WHERE r.recorded_at <= (SELECT m.at FROM moment m)
), places AS (
    SELECT f.id, f.created_at, f.is_root_job
    FROM found f
    WHERE (f.created_at, NOT f.is_root_job, f.id) > ($1::text::timestamp, $2::boolean, $3::uuid)
    ORDER BY f.created_at, f.is_root_job DESC, f.id
    LIMIT $4::integer
), {piece}
SELECT {row}, l.beyond, l.parents
FROM piece l
ORDER BY l.created_at, l.is_root_job DESC, l.id
