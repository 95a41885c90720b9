-- The next $3 overrides behind the time $1 and the id $2, the earliest first.
SELECT id, job_id, adopted, reason, requested_by, overridden_at
FROM root_overrides
WHERE (overridden_at, id) > ($1::timestamp, $2::uuid)
ORDER BY overridden_at, id
LIMIT $3::integer
