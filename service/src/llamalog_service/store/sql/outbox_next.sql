-- Some $1 corrected rows that nobody was told of yet, as they stand now. By the outbox's own order: a backfill leaves
-- a million there, which no call may sort. Row by row on purpose: a join would be planned as a walk through the log.
SELECT l.id, l.entity_type, l.entity_id, l.artist_id, l.album_id, l.track_id, l.operation, l.category, l.sources, l.status,
       l.reason, l.fields_enriched, l.data_quality_before, l.data_quality_after, l.error_message, l.error_code,
       l.retry_count, l.duration_ms, l.api_call_count, l.metadata, l.preview_data, l.job_id, l.parent_job_id,
       l.is_root_job, l.triggered_by, l.user_id,
       least(greatest(l.created_at, '0001-01-01'), '9999-12-31 23:59:59.999') AS created_at, l.declared_root_job_id,
       l.root_job_id, l.origin, l.cycle_members, l.parent_conflict, l.revision, l.recorded_at
FROM (
    SELECT DISTINCT ON (n.row_id) n.row_id
    FROM provenance_outbox n
    WHERE (SELECT true FROM llama_logs r WHERE r.id = n.row_id)
    ORDER BY n.row_id
    LIMIT $1
) o
CROSS JOIN LATERAL (SELECT * FROM llama_logs r WHERE r.id = o.row_id OFFSET 0) l
