-- Keep overrides of jobs never seen, each id once, the first of them; $7: whether events state them.
INSERT INTO root_decrees AS d (id, job_id, adopted, reason, requested_by, decreed_at, told)
SELECT DISTINCT ON (n.id) n.id, n.job_id, n.adopted, n.reason, n.requested_by, n.decreed_at, $7::boolean
FROM unnest($1::uuid[], $2::text[], $3::boolean[], $4::text[], $5::text[], $6::timestamp[])
    WITH ORDINALITY AS n (id, job_id, adopted, reason, requested_by, decreed_at, number)
ORDER BY n.id, n.number
ON CONFLICT (id) DO UPDATE SET told = true WHERE excluded.told AND NOT d.told
