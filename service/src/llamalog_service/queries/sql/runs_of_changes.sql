-- Of the runs $1 (uuid[]) of a change at the time $3: what each was, and of a recompute the first of its jobs that is among $2
-- (text[]), with the event of that job that was recorded last by then, of the earliest 1,000, and the override likewise.
SELECT r.id, r.kind, r.reason, r.requested_by, matched.job, event.id AS event, event.at AS event_at, event.operation,
       event.producer, event.is_legacy,
       override.adopted, override.overridden_by, override.override_reason
FROM backfill_runs r
LEFT JOIN LATERAL (
    SELECT named.job FROM unnest(r.jobs) AS named (job) WHERE named.job = ANY ($2::text[]) LIMIT 1
) matched ON true
LEFT JOIN LATERAL (
    SELECT e.id, e.operation, (SELECT p.source FROM event_producers p WHERE p.id = e.producer_id) AS producer,
           e.legacy_sourced IS NOT NULL OR e.origin IS NULL AS is_legacy,
           least(greatest(e.created_at, '0001-01-01'), '9999-12-31 23:59:59.999') AT TIME ZONE 'UTC' AS at
    FROM (
        SELECT l.id, l.operation, l.created_at, l.recorded_at, l.producer_id, l.legacy_sourced, l.origin
        FROM llama_logs l
        WHERE {l bears matched.job}
        ORDER BY {earliest}
        LIMIT 1000
    ) e
    WHERE e.recorded_at <= $3::timestamptz
    ORDER BY e.recorded_at DESC, e.created_at DESC, e.id
    LIMIT 1
) event ON true
LEFT JOIN LATERAL (
    SELECT d.adopted, d.requested_by AS overridden_by, d.reason AS override_reason
    FROM root_overrides d
    WHERE d.job_id = matched.job AND d.recorded_at <= $3::timestamptz
    ORDER BY d.overridden_at DESC, d.id DESC
    LIMIT 1
) override ON true
WHERE r.id = ANY ($1::uuid[])
ORDER BY matched.job IS NULL, r.requested_at
LIMIT 1
