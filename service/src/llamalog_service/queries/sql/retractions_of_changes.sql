-- Of the retractions $1 (uuid[]) that were applied together: the one of an event of the row $3 (uuid), or of a job among $2
-- (text[]), the nearest first, that claims or declares something; with the event, and the first $4 characters of its reason.
SELECT x.id, x.retracted, left(x.reason, $4::integer) AS reason, x.requested_by, l.job_id AS job, l.id AS event, l.operation, {producer} AS producer,
       l.legacy_sourced IS NOT NULL OR l.origin IS NULL AS is_legacy,
       least(greatest(l.created_at, '0001-01-01'), '9999-12-31 23:59:59.999') AT TIME ZONE 'UTC' AS event_at
FROM retractions x
JOIN llama_logs l ON l.id = x.row_id
WHERE x.id = ANY ($1::uuid[])
  AND (l.id = $3::uuid OR l.job_id = ANY ($2::text[]))
  AND (l.parent_job_id IS NOT NULL OR l.declared_root_job_id IS NOT NULL)
ORDER BY l.id <> $3::uuid, array_position($2::text[], l.job_id::text), x.retracted_at DESC, x.id DESC
LIMIT 1
