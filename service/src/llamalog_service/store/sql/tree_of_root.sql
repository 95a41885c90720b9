-- The rows whose root is the job $1, at most $5 behind the place $2 (time), $3 (whether the row does not call itself a
-- root job's), $4 (id). OFFSET 0: else the planner may read by time, hoping to meet them soon.
WITH places AS (
    SELECT below.id, below.created_at, below.is_root_job
    FROM (
        SELECT l.id, l.created_at, l.is_root_job
        FROM llama_logs l
        WHERE l.root_job_id = $1::text
          AND (l.created_at, NOT l.is_root_job, l.id) > ($2::text::timestamp, $3::boolean, $4::uuid)
        OFFSET 0
    ) below
    ORDER BY below.created_at, NOT below.is_root_job, below.id
    LIMIT $5::integer
)
SELECT {row}
FROM places p
JOIN llama_logs l ON l.id = p.id
ORDER BY p.created_at, p.is_root_job DESC, p.id
