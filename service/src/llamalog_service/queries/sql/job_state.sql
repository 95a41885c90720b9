-- The state of the job $1: since when events bear it, whether rows name it as their parent, and the override
-- about it that counts.
SELECT (SELECT least(greatest(l.created_at, '0001-01-01'), '9999-12-31 23:59:59.999') AT TIME ZONE 'UTC'
        FROM llama_logs l
        WHERE {l bears $1::text}
        ORDER BY {earliest}
        LIMIT 1) AS seen_since,
       EXISTS (SELECT FROM llama_logs l WHERE {l names $1::text}) AS is_named,
       d.adopted, d.reason, d.requested_by, d.overridden_at AT TIME ZONE 'UTC' AS overridden_at
FROM (SELECT) AS one
LEFT JOIN LATERAL (
    SELECT r.adopted, r.reason, r.requested_by, r.overridden_at
    FROM root_overrides r
    WHERE r.job_id = $1::text
    ORDER BY r.overridden_at DESC, r.id DESC
    LIMIT 1
) d ON true
