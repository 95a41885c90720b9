l.id, l.entity_type, l.entity_id, l.artist_id, l.album_id, l.track_id, l.operation, l.category, l.sources, l.status,
       l.reason, l.fields_enriched, l.data_quality_before, l.data_quality_after, l.error_message, l.error_code,
       l.retry_count, l.duration_ms, l.api_call_count,
       CASE WHEN $2 THEN l.metadata END AS metadata, CASE WHEN $2 THEN l.preview_data END AS preview_data,
       l.job_id, l.parent_job_id, l.is_root_job, l.triggered_by, l.user_id,
       least(greatest(l.created_at, '0001-01-01'), '9999-12-31 23:59:59.999') AS created_at,
       l.declared_root_job_id,
       l.root_job_id, l.origin, l.cycle_members, l.parent_conflict, l.revision, l.recorded_at,
       l.legacy_sourced IS NOT NULL OR l.origin IS NULL AS is_legacy
