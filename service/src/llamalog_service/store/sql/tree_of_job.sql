-- The rows of the job $1 and of everything below it by the claims that count, and those that declare it as their root:
-- at most $5 behind the place $2 (time), $3 (whether the row does not call itself a root job's), $4 (id).
-- UNION, not UNION ALL: a job is visited once, so that a cycle ends the walk.
WITH RECURSIVE below (job) AS (
    SELECT $1::text
    UNION
    SELECT child.job_id
    FROM below b
    CROSS JOIN LATERAL (
        SELECT c.job_id
        FROM llama_logs c
        WHERE c.parent_job_id = b.job AND c.job_id IS NOT NULL AND NOT c.parent_conflict
        OFFSET 0
    ) child
), rows_below AS (
    SELECT own.*
    FROM below b
    CROSS JOIN LATERAL (
        SELECT l.id, l.created_at, l.is_root_job FROM llama_logs l WHERE l.job_id = b.job OFFSET 0
    ) own
    UNION ALL
    SELECT hanging.*
    FROM below b
    CROSS JOIN LATERAL (
        SELECT l.id, l.created_at, l.is_root_job
        FROM llama_logs l
        WHERE l.parent_job_id = b.job AND l.job_id IS NULL
        OFFSET 0
    ) hanging
    UNION
    SELECT l.id, l.created_at, l.is_root_job FROM llama_logs l WHERE l.root_job_id = $1::text
), places AS (
    SELECT r.id, r.created_at, r.is_root_job
    FROM rows_below r
    WHERE (r.created_at, NOT r.is_root_job, r.id) > ($2::text::timestamp, $3::boolean, $4::uuid)
    ORDER BY r.created_at, NOT r.is_root_job, r.id
    LIMIT $5::integer
)
SELECT {row}
FROM places p
JOIN llama_logs l ON l.id = p.id
ORDER BY p.created_at, p.is_root_job DESC, p.id
