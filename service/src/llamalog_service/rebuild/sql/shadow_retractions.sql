-- Keep retractions and revocations in the shadow, each id once, the first of them.
INSERT INTO llamalog_rebuild.retractions (id, row_id, retracted, reason, requested_by, retracted_at)
SELECT n.id, n.row_id, n.retracted, n.reason, n.requested_by, n.retracted_at
FROM unnest($1::uuid[], $2::uuid[], $3::boolean[], $4::text[], $5::text[], $6::timestamp[])
    AS n (id, row_id, retracted, reason, requested_by, retracted_at)
ON CONFLICT (id) DO NOTHING
