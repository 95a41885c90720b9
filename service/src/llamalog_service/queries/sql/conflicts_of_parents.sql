-- Rows that claim another parent than the one that counts, with that one: at most $3 behind the position $1 (time), $2 (id).
-- OFFSET 0: else the planner, which thinks that most rows are in conflict, reads all of them by time.
SELECT f.id, least(greatest(f.kept_at, '0001-01-01'), '9999-12-31 23:59:59.999') AT TIME ZONE 'UTC' AS created_at,
       CASE WHEN f.kept_at NOT BETWEEN '0001-01-01' AND '9999-12-31 23:59:59.999' THEN f.kept_at::text END
           AS odd_time,
       f.operation, f.job_id, f.stated, claim.parent_job_id AS counts, f.root_job_id, f.origin
FROM (
    SELECT l.id, l.created_at AS kept_at, l.operation, l.job_id, l.parent_job_id AS stated, l.root_job_id, l.origin
    FROM (SELECT * FROM llama_logs WHERE parent_conflict OFFSET 0) l
    WHERE (l.created_at, l.id) > ($1::text::timestamp, $2::uuid)
    ORDER BY l.created_at, l.id
    LIMIT $3::integer
) f
LEFT JOIN LATERAL (
    SELECT l.parent_job_id
    FROM llama_logs l
    WHERE {l bears f.job_id} AND l.parent_job_id IS NOT NULL AND {l stands}
    ORDER BY {earliest}
    LIMIT 1
) claim ON true
ORDER BY f.kept_at, f.id
