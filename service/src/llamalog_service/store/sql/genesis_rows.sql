-- The next $2 rows after $1 (NULL: from the first) that were there before events existed, as they stand.
SELECT l.id, l.operation::text, l.category::text, l.status::text, l.created_at::timestamp::text AS created_at,
       l.entity_type::text, l.entity_id, l.album_id, l.artist_id, l.track_id, l.sources::text[] AS sources, l.reason::text,
       l.fields_enriched::text[] AS fields_enriched, l.data_quality_before::text, l.data_quality_after::text,
       l.error_message::text, l.error_code::text, l.retry_count, l.duration_ms, l.api_call_count,
       l.metadata::text AS metadata, l.preview_data::text AS preview_data, l.job_id::text, l.parent_job_id::text,
       coalesce(l.is_root_job, false) AS is_root_job, l.declared_root_job_id::text, l.triggered_by::text,
       l.user_id::text
FROM llama_logs l
WHERE ($1::uuid IS NULL OR l.id > $1)
  AND (l.origin IS NULL
       OR l.recorded_at IN (SELECT j.before::timestamptz FROM migration_journal j WHERE j.kind = 'taken over'))
ORDER BY l.id
LIMIT $2
