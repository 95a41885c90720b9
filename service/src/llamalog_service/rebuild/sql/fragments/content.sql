-- The content of a row `l` of the log or of the shadow but for its producer, which the log has by number: enums as texts, a list
-- that is NULL as an empty one.
l.id, l.entity_type::text, l.entity_id, l.artist_id, l.album_id, l.track_id, l.operation::text,
l.category::text, coalesce(l.sources, '{}')::text[] AS sources, l.status::text, l.reason::text,
coalesce(l.fields_enriched, '{}')::text[] AS fields_enriched, l.data_quality_before::text,
l.data_quality_after::text, l.error_message::text, l.error_code::text, l.retry_count, l.duration_ms,
l.api_call_count, l.metadata::jsonb, l.preview_data::jsonb, l.job_id::text, l.parent_job_id::text,
coalesce(l.is_root_job, false) AS is_root_job, l.triggered_by::text, l.user_id::text, l.created_at,
l.declared_root_job_id::text
