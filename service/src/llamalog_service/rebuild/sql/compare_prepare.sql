-- Views of the two sides with the same columns and types: without recorded_at and revision, which do not follow from
-- events; enums as texts; a list that is NULL as an empty one.
CREATE OR REPLACE TEMPORARY VIEW live AS
SELECT l.id, l.entity_type::text, l.entity_id, l.artist_id, l.album_id, l.track_id, l.operation::text,
       l.category::text, coalesce(l.sources, '{}')::text[] AS sources, l.status::text, l.reason::text,
       coalesce(l.fields_enriched, '{}')::text[] AS fields_enriched, l.data_quality_before::text,
       l.data_quality_after::text, l.error_message::text, l.error_code::text, l.retry_count, l.duration_ms,
       l.api_call_count, l.metadata::jsonb, l.preview_data::jsonb, l.job_id::text, l.parent_job_id::text,
       coalesce(l.is_root_job, false) AS is_root_job, l.triggered_by::text, l.user_id::text, l.created_at,
       l.declared_root_job_id::text,
       l.root_job_id::text, l.origin::text, l.cycle_members, l.parent_conflict
FROM llama_logs l;
CREATE OR REPLACE TEMPORARY VIEW decoded AS
SELECT s.id, s.entity_type::text, s.entity_id, s.artist_id, s.album_id, s.track_id, s.operation::text,
       s.category::text, coalesce(s.sources, '{}')::text[] AS sources, s.status::text, s.reason::text,
       coalesce(s.fields_enriched, '{}')::text[] AS fields_enriched, s.data_quality_before::text,
       s.data_quality_after::text, s.error_message::text, s.error_code::text, s.retry_count, s.duration_ms,
       s.api_call_count, s.metadata::jsonb, s.preview_data::jsonb, s.job_id::text, s.parent_job_id::text,
       coalesce(s.is_root_job, false) AS is_root_job, s.triggered_by::text, s.user_id::text, s.created_at,
       s.declared_root_job_id::text
FROM llamalog_rebuild.llama_logs s;
CREATE OR REPLACE TEMPORARY VIEW rebuilt AS
SELECT d.*, r.root_job_id::text, r.origin::text, r.cycle_members, r.parent_conflict
FROM decoded d
JOIN llamalog_rebuild.roots r ON r.row_id = d.id
