l.id, least(greatest(l.created_at, '0001-01-01'), '9999-12-31 23:59:59.999') AT TIME ZONE 'UTC' AS created_at,
       CASE WHEN l.created_at NOT BETWEEN '0001-01-01' AND '9999-12-31 23:59:59.999' THEN l.created_at::text END
           AS odd_time,
       l.recorded_at, l.entity_type, l.entity_id, l.album_id, l.artist_id, l.track_id, l.operation, l.category,
       l.sources[1:13] AS sources, l.status, left(l.reason, 400) AS reason, l.fields_enriched[1:13] AS fields_enriched,
       l.data_quality_before, l.data_quality_after, left(l.error_message, 400) AS error_message, l.error_code,
       l.retry_count, l.duration_ms, l.api_call_count,
       CASE WHEN l.metadata_bytes <= 2048 THEN l.metadata END AS metadata,
       CASE WHEN l.metadata_bytes > 2048 THEN l.metadata_bytes END AS metadata_left_out,
       CASE WHEN l.preview_bytes <= 2048 THEN l.preview_data END AS preview_data,
       CASE WHEN l.preview_bytes > 2048 THEN l.preview_bytes END AS preview_data_left_out,
       CASE WHEN l.metadata_bytes > 2048 THEN {name} END AS name,
       l.job_id, l.parent_job_id, l.root_job_id, l.declared_root_job_id, l.is_root_job, l.triggered_by, l.user_id,
       l.origin, l.cycle_members[1:13] AS cycle_members, l.parent_conflict, l.revision
