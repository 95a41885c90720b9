-- The latest $2 changes of the root of the row $1, the latest first, since it was recorded. A row that was recorded without
-- origin notes the correction that gave it one, which is its first change.
WITH own AS MATERIALIZED (
    SELECT l.id, l.recorded_at, l.settled_by, l.root_job_id, l.origin FROM llama_logs l WHERE l.id = $1::uuid
), changes AS MATERIALIZED (
    SELECT h.revision, c.changed_at, c.cause::text AS cause, h.old_root_job_id, h.old_origin, h.root_job_id, h.origin
    FROM own o
    JOIN root_history h ON h.row_id = o.id
    JOIN root_corrections c ON c.id = h.correction
    WHERE c.changed_at >= o.recorded_at
)
SELECT c.* FROM changes c
UNION ALL
SELECT NULL, c.changed_at, c.cause::text, NULL, NULL,
       CASE WHEN first.is_one THEN first.old_root_job_id ELSE o.root_job_id END,
       CASE WHEN first.is_one THEN first.old_origin ELSE o.origin END
FROM own o
JOIN root_corrections c ON c.id = o.settled_by
LEFT JOIN LATERAL (
    SELECT true AS is_one, h.old_root_job_id, h.old_origin FROM changes h ORDER BY h.revision LIMIT 1
) first ON true
ORDER BY 1 DESC NULLS LAST
LIMIT $2::integer
