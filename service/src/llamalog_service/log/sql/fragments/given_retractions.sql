SELECT DISTINCT ON (n.id) n.id, n.row_id, n.retracted, n.reason, n.requested_by, n.retracted_at
FROM unnest($1::uuid[], $2::uuid[], $3::boolean[], $4::text[], $5::text[], $6::timestamp[])
    WITH ORDINALITY AS n (id, row_id, retracted, reason, requested_by, retracted_at, number)
ORDER BY n.id, n.number
