-- Which of the legacy rows $1 (as in legacy_insert) the table holds unchanged; by their number, from 1. A row that calls
-- itself a root job and is not normalised yet names a parent that does not count.
SELECT t.number
FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY AS t (legacy, number)
CROSS JOIN LATERAL jsonb_populate_record(NULL::llama_logs, t.legacy - ARRAY['metadata', 'preview_data']) AS p
JOIN llama_logs l ON l.id = p.id
WHERE (
    l.entity_type, l.entity_id, l.artist_id, l.album_id, l.track_id, l.operation, l.category,
    coalesce(l.sources, '{}'), l.status, l.reason, coalesce(l.fields_enriched, '{}'), l.data_quality_before,
    l.data_quality_after, l.error_message, l.error_code, l.retry_count, l.duration_ms, l.api_call_count,
    l.metadata::jsonb, l.preview_data::jsonb, l.job_id, CASE WHEN l.is_root_job THEN NULL ELSE l.parent_job_id
    END, coalesce(l.is_root_job, false), l.triggered_by, l.user_id, l.created_at, l.declared_root_job_id
) IS NOT DISTINCT FROM (
    p.entity_type, p.entity_id, p.artist_id, p.album_id, p.track_id, p.operation, p.category,
    coalesce(p.sources, '{}'), p.status, p.reason, coalesce(p.fields_enriched, '{}'), p.data_quality_before,
    p.data_quality_after, p.error_message, p.error_code, p.retry_count, p.duration_ms, p.api_call_count,
    (t.legacy ->> 'metadata')::jsonb, (t.legacy ->> 'preview_data')::jsonb, p.job_id, p.parent_job_id,
    coalesce(p.is_root_job, false), p.triggered_by, p.user_id, p.created_at, p.declared_root_job_id
)
