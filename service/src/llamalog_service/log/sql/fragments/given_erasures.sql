SELECT DISTINCT ON (n.id) n.id, n.user_digest, ARRAY(SELECT jsonb_array_elements_text(n.metadata_keys::jsonb)),
       n.reason, n.requested_by, n.erased_at
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamp[])
    WITH ORDINALITY AS n (id, user_digest, metadata_keys, reason, requested_by, erased_at, number)
ORDER BY n.id, n.number
