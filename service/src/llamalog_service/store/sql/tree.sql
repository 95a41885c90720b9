-- The rows of the tree of the job $1: at most $5 behind the place $2 (time), $3 (whether the row does not call itself a
-- root job's), $4 (id). They are those whose root it is; unless it is the root of its own rows, or was adopted, also the
-- rows of all that is below it by the claims that count.
-- One of the rows also bears the parents that count of all jobs in them and above, of the nearest $7; there the walk ends. UNION, not UNION ALL: a job is visited
-- once, so that a cycle ends the walk. OFFSET 0: else the planner may read by time, hoping to meet the rows soon.
-- The first row is given; of the others those that keep all of them within $6 bytes of JSON, and one more, told as
-- `beyond`. What is small is weighed as it is kept; what is compressed as the text that it will be. There OFFSET 0 has a
-- row weighed once.
WITH RECURSIVE root AS MATERIALIZED (
    SELECT EXISTS (SELECT FROM llama_logs l WHERE l.job_id = $1::text AND l.root_job_id = $1::text AND l.origin = 'ROOT')
        OR EXISTS (SELECT FROM (SELECT l.origin FROM llama_logs l WHERE l.root_job_id = $1::text OFFSET 0) o
                   WHERE o.origin = 'ADOPTED') AS is_one
), below (job) AS (
    SELECT $1::text FROM root WHERE NOT root.is_one
    UNION
    SELECT child.job_id
    FROM below b
    CROSS JOIN LATERAL (
        SELECT c.job_id
        FROM llama_logs c
        WHERE c.parent_job_id = b.job AND c.job_id IS NOT NULL AND NOT c.parent_conflict
        OFFSET 0
    ) child
), places AS (
    SELECT r.id, r.created_at, r.is_root_job
    FROM (
        SELECT l.id, l.created_at, l.is_root_job FROM llama_logs l WHERE l.root_job_id = $1::text OFFSET 0
    ) r
    WHERE (r.created_at, NOT r.is_root_job, r.id) > ($2::text::timestamp, $3::boolean, $4::uuid)
    UNION ALL
    SELECT r.id, r.created_at, r.is_root_job
    FROM below b
    CROSS JOIN LATERAL (
        SELECT l.id, l.created_at, l.is_root_job
        FROM llama_logs l
        WHERE l.job_id = b.job AND l.root_job_id IS DISTINCT FROM $1::text
        OFFSET 0
    ) r
    WHERE (r.created_at, NOT r.is_root_job, r.id) > ($2::text::timestamp, $3::boolean, $4::uuid)
    UNION ALL
    SELECT r.id, r.created_at, r.is_root_job
    FROM below b
    CROSS JOIN LATERAL (
        SELECT l.id, l.created_at, l.is_root_job
        FROM llama_logs l
        WHERE l.parent_job_id = b.job AND l.job_id IS NULL AND l.root_job_id IS DISTINCT FROM $1::text
        OFFSET 0
    ) r
    WHERE (r.created_at, NOT r.is_root_job, r.id) > ($2::text::timestamp, $3::boolean, $4::uuid)
    ORDER BY created_at, is_root_job DESC, id
    LIMIT $5::integer
), weighed AS (
    SELECT l.*, row_number() OVER w AS number, sum(l.bytes) OVER w - l.bytes AS before
    FROM (
        SELECT l.*, {bytes} AS bytes
        FROM places p JOIN llama_logs l ON l.id = p.id
        OFFSET 0
    ) l
    WINDOW w AS (ORDER BY l.created_at, l.is_root_job DESC, l.id ROWS UNBOUNDED PRECEDING)
), page AS MATERIALIZED (
    SELECT l.*, l.number > 1 AND l.before + l.bytes > $6::bigint AS beyond
    FROM weighed l
    WHERE l.number <= 2 OR l.before <= $6::bigint
), {lineage}
SELECT {row}, l.beyond,
       CASE WHEN row_number() OVER () = 1 THEN (
           SELECT jsonb_object_agg(a.job, a.parent) FROM (SELECT * FROM lineage LIMIT $7::integer) a
       ) END AS parents
FROM page l
ORDER BY l.created_at, l.is_root_job DESC, l.id
