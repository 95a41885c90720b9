-- Keep overrides of jobs never seen, each id once, the first of them; $7: whether events of their topic state them, else they
-- are to be published there.
INSERT INTO root_overrides AS d (id, job_id, adopted, reason, requested_by, overridden_at, is_sourced, to_publish)
SELECT DISTINCT ON (n.id) n.id, n.job_id, n.adopted, n.reason, n.requested_by, n.overridden_at, $7::boolean, NOT $7::boolean
FROM unnest($1::uuid[], $2::text[], $3::boolean[], $4::text[], $5::text[], $6::timestamp[])
    WITH ORDINALITY AS n (id, job_id, adopted, reason, requested_by, overridden_at, number)
ORDER BY n.id, n.number
ON CONFLICT (id) DO UPDATE SET is_sourced = true WHERE excluded.is_sourced AND NOT d.is_sourced
