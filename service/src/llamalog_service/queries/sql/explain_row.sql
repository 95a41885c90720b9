-- Of the row $1 (uuid), or of the earliest row of the job $2 (text): what an explanation begins with.
SELECT l.id, l.job_id, {claimed} AS claimed, l.parent_job_id, {declared} AS declared_root_job_id, l.root_job_id, l.origin, l.cycle_members,
       l.parent_conflict, l.revision, l.recorded_at, l.operation, l.retracted,
       least(greatest(l.created_at, '0001-01-01'), '9999-12-31 23:59:59.999') AT TIME ZONE 'UTC' AS created_at
FROM (
    (SELECT l.* FROM llama_logs l WHERE $1::uuid IS NOT NULL AND l.id = $1::uuid)
    UNION ALL
    (SELECT l.* FROM llama_logs l WHERE $1::uuid IS NULL AND {l bears $2::text} ORDER BY {earliest} LIMIT 1)
) l
