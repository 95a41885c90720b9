-- Overrides, erasures and retractions among them, the latest first: at most $3 before the position $1 (time), $2 (id), each
-- with the next one about its job or row, the time since which its job is seen, and how many rows it has an effect on, counted
-- to $4. `adopted` is of a retraction whether it is no revocation.
SELECT o.id, o.overridden_at AT TIME ZONE 'UTC' AS created_at, NULL::text AS odd_time,
       o.job_id, o.row_id, o.adopted, o.reason, o.requested_by, o.recorded_at, o.is_sourced, o.user_digest, o.metadata_keys,
       o.is_applied, later.adopted AS later_adopted, later.requested_by AS later_by,
       later.overridden_at AT TIME ZONE 'UTC' AS later_at, seen.since, coalesce(o.rows_erased, retracted.rows, effect.rows) AS rows
FROM (
    (SELECT id, job_id, NULL::uuid AS row_id, adopted, reason, requested_by, overridden_at, recorded_at, is_sourced,
            NULL::text AS user_digest, NULL::text[] AS metadata_keys, NULL::bigint AS rows_erased, NULL::boolean AS is_applied
     FROM root_overrides
     WHERE (overridden_at, id) < ($1::text::timestamp, $2::uuid)
     ORDER BY overridden_at DESC, id DESC
     LIMIT $3::integer)
    UNION ALL
    (SELECT id, NULL, NULL, NULL, reason, requested_by, erased_at, recorded_at, true, user_digest, metadata_keys, rows_erased,
            applied_at IS NOT NULL
     FROM erasures
     WHERE (erased_at, id) < ($1::text::timestamp, $2::uuid)
     ORDER BY erased_at DESC, id DESC
     LIMIT $3::integer)
    UNION ALL
    (SELECT id, NULL, row_id, retracted, reason, requested_by, retracted_at, recorded_at, true, NULL, NULL, NULL,
            waits_since IS NULL
     FROM retractions
     WHERE (retracted_at, id) < ($1::text::timestamp, $2::uuid)
     ORDER BY retracted_at DESC, id DESC
     LIMIT $3::integer)
    ORDER BY overridden_at DESC, id DESC
    LIMIT $3::integer
) o
LEFT JOIN LATERAL (
    (SELECT d.adopted, d.requested_by, d.overridden_at
     FROM root_overrides d
     WHERE d.job_id = o.job_id AND (d.overridden_at, d.id) > (o.overridden_at, o.id)
     ORDER BY d.overridden_at, d.id
     LIMIT 1)
    UNION ALL
    (SELECT t.retracted, t.requested_by, t.retracted_at
     FROM retractions t
     WHERE t.row_id = o.row_id AND (t.retracted_at, t.id) > (o.overridden_at, o.id)
     ORDER BY t.retracted_at, t.id
     LIMIT 1)
) later ON true
LEFT JOIN LATERAL (
    SELECT least(greatest(l.created_at, '0001-01-01'), '9999-12-31 23:59:59.999') AT TIME ZONE 'UTC' AS since
    FROM llama_logs l
    WHERE {l bears o.job_id}
    ORDER BY {earliest}
    LIMIT 1
) seen ON true
LEFT JOIN LATERAL (
    SELECT count(*) AS rows FROM llama_logs l WHERE l.id = o.row_id
) retracted ON o.row_id IS NOT NULL AND o.adopted
LEFT JOIN LATERAL (
    SELECT count(*) AS rows
    FROM (
        SELECT FROM (SELECT * FROM llama_logs s WHERE {s stems from o.job_id} OFFSET 0) l
        WHERE l.origin = 'ADOPTED'
        LIMIT $4::integer
    ) counted
) effect ON o.job_id IS NOT NULL AND o.adopted AND later.adopted IS NULL AND seen.since IS NULL
ORDER BY o.overridden_at DESC, o.id DESC
