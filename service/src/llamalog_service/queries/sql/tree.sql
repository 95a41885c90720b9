-- The rows of the tree of the job $7: at most $4 behind the position $1 (time), $2 (whether the row does not call itself a
-- root job's), $3 (id). They are those whose root it is; unless it is the root of its own rows, or was adopted, also the
-- rows of all that is below it by the claims that count.
-- UNION, not UNION ALL: a job is visited once, so that a cycle ends the walk. OFFSET 0: else the planner may read by time,
-- hoping to meet the rows soon.
WITH RECURSIVE root AS MATERIALIZED (
    SELECT EXISTS (SELECT FROM llama_logs l WHERE {l bears $7::text} AND l.root_job_id = $7::text AND l.origin = 'ROOT')
        OR EXISTS (SELECT FROM (SELECT l.origin FROM llama_logs l WHERE {l stems from $7::text} OFFSET 0) o
                   WHERE o.origin = 'ADOPTED') AS is_one
), below (job) AS (
    SELECT $7::text FROM root WHERE NOT root.is_one
    UNION
    SELECT child.job_id
    FROM below b
    CROSS JOIN LATERAL (
        SELECT c.job_id
        FROM llama_logs c
        WHERE {c names b.job} AND c.job_id IS NOT NULL AND NOT c.parent_conflict AND {c stands}
        OFFSET 0
    ) child
), places AS (
    SELECT r.id, r.created_at, r.is_root_job
    FROM (
        SELECT l.id, l.created_at, l.is_root_job FROM llama_logs l WHERE {l stems from $7::text} OFFSET 0
    ) r
    WHERE (r.created_at, NOT r.is_root_job, r.id) > ($1::text::timestamp, $2::boolean, $3::uuid)
    UNION ALL
    SELECT r.id, r.created_at, r.is_root_job
    FROM below b
    CROSS JOIN LATERAL (
        SELECT l.id, l.created_at, l.is_root_job
        FROM llama_logs l
        WHERE {l bears b.job} AND l.root_job_id IS DISTINCT FROM $7::text
        OFFSET 0
    ) r
    WHERE (r.created_at, NOT r.is_root_job, r.id) > ($1::text::timestamp, $2::boolean, $3::uuid)
    UNION ALL
    SELECT r.id, r.created_at, r.is_root_job
    FROM below b
    CROSS JOIN LATERAL (
        SELECT l.id, l.created_at, l.is_root_job
        FROM llama_logs l
        WHERE {l names b.job} AND l.job_id IS NULL AND l.root_job_id IS DISTINCT FROM $7::text
        OFFSET 0
    ) r
    WHERE (r.created_at, NOT r.is_root_job, r.id) > ($1::text::timestamp, $2::boolean, $3::uuid)
    ORDER BY created_at, is_root_job DESC, id
    LIMIT $4::integer
), {piece}
SELECT {row}, l.beyond, l.parents
FROM piece l
ORDER BY l.created_at, l.is_root_job DESC, l.id
