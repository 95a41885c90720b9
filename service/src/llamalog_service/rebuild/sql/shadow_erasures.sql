-- Keep erasures in the shadow, each id once, the first of them; their metadata keys ($3) as JSON texts.
INSERT INTO llamalog_rebuild.erasures (id, user_digest, metadata_keys, reason, requested_by, erased_at)
SELECT n.id, n.user_digest, ARRAY(SELECT jsonb_array_elements_text(n.metadata_keys::jsonb)), n.reason, n.requested_by, n.erased_at
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamp[])
    AS n (id, user_digest, metadata_keys, reason, requested_by, erased_at)
ON CONFLICT (id) DO NOTHING
