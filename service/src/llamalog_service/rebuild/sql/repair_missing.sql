-- Insert those rows ($1) of the shadow that the live table lacks, with the revision $2 or a higher one if a removed row
-- had as high a one, and note them in the outbox. Rows whose event came after the comparison have no root yet: it is left to the recompute that follows.
WITH added AS (
    INSERT INTO llama_logs (
        id, entity_type, entity_id, artist_id, album_id, track_id, operation, category, sources, status, reason,
        fields_enriched, data_quality_before, data_quality_after, error_message, error_code, retry_count,
        duration_ms, api_call_count, metadata, preview_data, job_id, parent_job_id, is_root_job, triggered_by,
        user_id, created_at, declared_root_job_id, producer_id, traceparent, erased, retracted,
        root_job_id, origin, cycle_members, parent_conflict, revision
    )
    SELECT s.id, s.entity_type, s.entity_id, s.artist_id, s.album_id, s.track_id, s.operation, s.category, s.sources, s.status,
           s.reason, s.fields_enriched, s.data_quality_before, s.data_quality_after, s.error_message, s.error_code,
           s.retry_count, s.duration_ms, s.api_call_count, s.metadata, s.preview_data, s.job_id, s.parent_job_id,
           s.is_root_job, s.triggered_by, s.user_id, s.created_at, s.declared_root_job_id, p.id, s.traceparent, s.erased, s.retracted,
           r.root_job_id,
           coalesce(r.origin, CASE WHEN coalesce(s.job_id, s.parent_job_id) IS NULL THEN 'UNTRACKED' ELSE 'PENDING' END
                              ::"LlamaLogOrigin"),
           r.cycle_members, coalesce(r.parent_conflict, false),
           greatest($2, (SELECT max((d.content ->> 'revision')::integer) + 1 FROM removed_rows d WHERE d.row_id = s.id))
    FROM llamalog_rebuild.llama_logs s
    LEFT JOIN llamalog_rebuild.roots r ON r.row_id = s.id
    LEFT JOIN event_producers p ON p.source = s.producer
    WHERE s.id = ANY ($1::uuid[]) AND s.partition >= 0
    ON CONFLICT (id) DO NOTHING
    RETURNING id, revision
), noted AS (
    INSERT INTO provenance_outbox (row_id, revision) SELECT id, revision FROM added ON CONFLICT DO NOTHING
)
SELECT id FROM added
