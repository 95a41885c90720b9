-- Insert those rows of the shadow that are among $2 (NULL: all), with what the rule gives them and the revision $1, into the
-- live table: roots go straight into it from the ends of the walks (rule_ends).
INSERT INTO llama_logs (
    id, entity_type, entity_id, artist_id, album_id, track_id, operation, category, sources, status, reason,
    fields_enriched, data_quality_before, data_quality_after, error_message, error_code, retry_count, duration_ms,
    api_call_count, metadata, preview_data, job_id, parent_job_id, is_root_job, triggered_by, user_id, created_at,
    declared_root_job_id, producer_id, traceparent, erased, retracted, root_job_id, origin, cycle_members, parent_conflict, revision
)
SELECT l.id, l.entity_type, l.entity_id, l.artist_id, l.album_id, l.track_id, l.operation, l.category, l.sources,
       l.status, l.reason, l.fields_enriched, l.data_quality_before, l.data_quality_after, l.error_message,
       l.error_code, l.retry_count, l.duration_ms, l.api_call_count, l.metadata, l.preview_data, l.job_id,
       l.parent_job_id, l.is_root_job, l.triggered_by, l.user_id, l.created_at, l.declared_root_job_id,
       p.id, l.traceparent, l.erased, l.retracted, r.root_job_id, r.origin, r.cycle_members, r.parent_conflict, $1
FROM (SELECT l.*, {claimed} AS claimed FROM llamalog_rebuild.llama_logs l) l
LEFT JOIN event_producers p ON p.source = l.producer
LEFT JOIN rule_ends e ON e.job = coalesce(l.job_id, l.claimed)
CROSS JOIN LATERAL (SELECT {rule_row}) r
WHERE $2::uuid[] IS NULL OR l.id = ANY ($2)
