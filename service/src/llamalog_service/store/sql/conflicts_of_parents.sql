-- Rows that claim another parent than the one that counts, with that one: at most $3 behind the cursor ($1 time, $2 id).
SELECT f.*, claim.parent_job_id AS parent
FROM (
    SELECT l.id, l.created_at, l.operation, l.job_id, l.parent_job_id AS claimed, l.root_job_id, l.origin
    FROM llama_logs l
    WHERE l.parent_conflict AND (l.created_at, l.id) > ($1::timestamp, $2::uuid)
    ORDER BY l.created_at, l.id
    LIMIT $3
) f
LEFT JOIN LATERAL (
    SELECT l.parent_job_id
    FROM llama_logs l
    WHERE l.job_id = f.job_id AND l.parent_job_id IS NOT NULL
    ORDER BY l.created_at, l.id
    LIMIT 1
) claim ON true
ORDER BY f.created_at, f.id
