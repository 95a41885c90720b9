l.id, least(greatest(l.created_at, '0001-01-01'), '9999-12-31 23:59:59.999') AT TIME ZONE 'UTC' AS created_at,
       CASE WHEN l.created_at NOT BETWEEN '0001-01-01' AND '9999-12-31 23:59:59.999' THEN l.created_at::text END
           AS odd_time,
       l.recorded_at, l.entity_type, l.entity_id, l.album_id, l.artist_id, l.track_id, l.operation, l.category,
       l.sources, l.status, l.reason, l.fields_enriched, l.data_quality_before, l.data_quality_after,
       l.error_message, l.error_code, l.retry_count, l.duration_ms, l.api_call_count,
       CASE WHEN l.metadata_bytes <= 65536 THEN l.metadata END AS metadata,
       CASE WHEN l.metadata_bytes > 65536 THEN l.metadata::text END AS metadata_text,
       CASE WHEN l.preview_bytes <= 65536 THEN l.preview_data END AS preview_data,
       CASE WHEN l.preview_bytes > 65536 THEN l.preview_data::text END AS preview_data_text,
       CASE WHEN l.metadata_bytes > 65536 THEN {name} END AS name,
       l.job_id, l.parent_job_id, l.root_job_id, l.declared_root_job_id, l.is_root_job, l.triggered_by, l.user_id,
       l.origin, l.cycle_members, l.parent_conflict, l.revision,
       {producer} AS producer, l.traceparent, l.legacy_sourced IS NOT NULL OR l.origin IS NULL AS is_legacy
