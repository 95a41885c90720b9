-- Write legacy rows from their events. $1: an array of objects, column -> text as PostgreSQL writes it, which the
-- columns' own types read; with the roots that were worked out. A list that is NULL is an empty one here.
INSERT INTO llama_logs (
    id, entity_type, entity_id, artist_id, album_id, track_id, operation, category, sources, status, reason,
    fields_enriched, data_quality_before, data_quality_after, error_message, error_code, retry_count,
    duration_ms, api_call_count, metadata, preview_data, job_id, parent_job_id, is_root_job, triggered_by,
    user_id, created_at, declared_root_job_id, root_job_id, origin, cycle_members, parent_conflict,
    legacy_sourced, revision
)
SELECT
    p.id, p.entity_type, p.entity_id, p.artist_id, p.album_id, p.track_id, p.operation, p.category,
    coalesce(p.sources, '{}'), p.status, p.reason, coalesce(p.fields_enriched, '{}'), p.data_quality_before,
    p.data_quality_after, p.error_message, p.error_code, p.retry_count, p.duration_ms, p.api_call_count,
    (t.legacy ->> 'metadata')::jsonb, (t.legacy ->> 'preview_data')::jsonb, p.job_id, p.parent_job_id,
    coalesce(p.is_root_job, false), p.triggered_by, p.user_id, p.created_at, p.declared_root_job_id,
    p.root_job_id, p.origin, p.cycle_members, p.parent_conflict, true, coalesce(p.revision, 1)
FROM jsonb_array_elements($1::jsonb) AS t (legacy)
CROSS JOIN LATERAL jsonb_populate_record(NULL::llama_logs, t.legacy - ARRAY['metadata', 'preview_data']) AS p
