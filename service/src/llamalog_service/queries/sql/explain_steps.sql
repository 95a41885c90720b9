-- Of each of the jobs $1 (text[]): its first event, up to $2 claims and as many declarations, the earliest first, up to $2
-- overrides, the latest first, and up to $2 retracted events that claim or declare something, the earliest first; each with the
-- number of all of its kind, counted up to $3. Retracted events are looked for among the job's earliest $3.
SELECT j.job, found.*
FROM unnest($1::text[]) AS j (job)
CROSS JOIN LATERAL (
    (SELECT 'first' AS kind, l.id, least(greatest(l.created_at, '0001-01-01'), '9999-12-31 23:59:59.999') AT TIME ZONE 'UTC' AS at,
            l.operation, {producer} AS producer, l.legacy_sourced IS NOT NULL OR l.origin IS NULL AS is_legacy,
            NULL::text AS named, NULL::text AS declared, NULL::boolean AS adopted, NULL::text AS reason,
            NULL::text AS requested_by, 1 AS total
     FROM llama_logs l
     WHERE {l bears j.job}
     ORDER BY {earliest}
     LIMIT 1)
    UNION ALL
    (SELECT 'claim', l.id, least(greatest(l.created_at, '0001-01-01'), '9999-12-31 23:59:59.999') AT TIME ZONE 'UTC',
            l.operation, {producer}, l.legacy_sourced IS NOT NULL OR l.origin IS NULL, l.parent_job_id, NULL, NULL, NULL, NULL,
            (SELECT count(*)::integer
             FROM (SELECT FROM llama_logs c
                   WHERE {c bears j.job} AND c.parent_job_id IS NOT NULL AND (c.origin IS NOT NULL OR c.is_root_job IS NOT TRUE) AND {c stands}
                   LIMIT $3::integer) counted)
     FROM llama_logs l
     WHERE {l bears j.job} AND l.parent_job_id IS NOT NULL AND {claims}
     ORDER BY {earliest}
     LIMIT $2::integer)
    UNION ALL
    (SELECT 'declaration', l.id, least(greatest(l.created_at, '0001-01-01'), '9999-12-31 23:59:59.999') AT TIME ZONE 'UTC',
            l.operation, {producer}, l.legacy_sourced IS NOT NULL OR l.origin IS NULL, l.declared_root_job_id, NULL, NULL, NULL, NULL,
            (SELECT count(*)::integer
             FROM (SELECT FROM llama_logs c WHERE {c bears j.job} AND c.declared_root_job_id IS NOT NULL AND {c stands} LIMIT $3::integer) counted)
     FROM llama_logs l
     WHERE {l bears j.job} AND l.declared_root_job_id IS NOT NULL AND {l stands}
     ORDER BY {earliest}
     LIMIT $2::integer)
    UNION ALL
    (SELECT 'override', d.id, d.overridden_at AT TIME ZONE 'UTC', NULL, NULL, NULL, NULL, NULL, d.adopted, d.reason, d.requested_by,
            (SELECT count(*)::integer FROM (SELECT FROM root_overrides c WHERE c.job_id = j.job LIMIT $3::integer) counted)
     FROM root_overrides d
     WHERE d.job_id = j.job
     ORDER BY d.overridden_at DESC, d.id DESC
     LIMIT $2::integer)
    UNION ALL
    (SELECT 'retracted', l.id, least(greatest(l.created_at, '0001-01-01'), '9999-12-31 23:59:59.999') AT TIME ZONE 'UTC',
            l.operation, {producer}, l.legacy_sourced IS NOT NULL OR l.origin IS NULL, l.parent_job_id, l.declared_root_job_id, NULL, NULL, NULL,
            (count(*) OVER ())::integer
     FROM (SELECT l.* FROM llama_logs l WHERE {l bears j.job} ORDER BY {earliest} LIMIT $3::integer) l
     WHERE l.retracted AND (l.parent_job_id IS NOT NULL OR l.declared_root_job_id IS NOT NULL)
     ORDER BY {earliest}
     LIMIT $2::integer)
) found
