-- Copy live rows without an event into the shadow, with the partition -1. A row with is_root_job makes no claim, so that
-- its parent is not copied. A row whose id is in an event is not copied either.
INSERT INTO llamalog_rebuild.llama_logs (
    id, entity_type, entity_id, artist_id, album_id, track_id, operation, category, sources, status, reason,
    fields_enriched, data_quality_before, data_quality_after, error_message, error_code, retry_count, duration_ms,
    api_call_count, metadata, preview_data, job_id, parent_job_id, is_root_job, triggered_by, user_id, created_at,
    declared_root_job_id, producer, traceparent, erased, retracted, partition, "offset"
)
SELECT l.id, l.entity_type, l.entity_id, l.artist_id, l.album_id, l.track_id, l.operation, l.category, l.sources,
       l.status, l.reason, l.fields_enriched, l.data_quality_before, l.data_quality_after, l.error_message,
       l.error_code, l.retry_count, l.duration_ms, l.api_call_count, l.metadata, l.preview_data, l.job_id,
       CASE WHEN l.is_root_job THEN NULL ELSE l.parent_job_id END, l.is_root_job, l.triggered_by, l.user_id,
       l.created_at, l.declared_root_job_id, {producer}, l.traceparent, l.erased, l.retracted, -1, 0
FROM llama_logs l
WHERE (l.legacy_sourced IS FALSE OR l.legacy_sourced IS NULL AND l.origin IS NULL)
  AND NOT EXISTS (SELECT FROM llamalog_rebuild.llama_logs s WHERE s.id = l.id)
