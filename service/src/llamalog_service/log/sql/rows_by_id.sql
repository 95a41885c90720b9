-- The rows of $1 (uuid[]) that are in the table; $2 (boolean): with their JSON, else NULL in its place.
SELECT id, entity_type, entity_id, artist_id, album_id, track_id, operation, category, sources, status, reason,
       fields_enriched, data_quality_before, data_quality_after, error_message, error_code, retry_count, duration_ms,
       api_call_count,
       CASE WHEN $2 THEN metadata END AS metadata, CASE WHEN $2 THEN preview_data END AS preview_data,
       job_id, parent_job_id, is_root_job, triggered_by, user_id,
       least(greatest(created_at, '0001-01-01'), '9999-12-31 23:59:59.999') AS created_at,
       declared_root_job_id,
       root_job_id, origin, cycle_members, parent_conflict, revision, recorded_at,
       legacy_sourced IS NOT NULL OR origin IS NULL AS is_legacy
FROM llama_logs
WHERE id = ANY ($1::uuid[])
