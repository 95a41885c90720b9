-- Update those of the live rows $1 whose content differs from the shadow's, and note them in the outbox; rows without an
-- event are not updated. Roots are left to the recompute that follows: a row that was not resolved becomes pending.
WITH before AS MATERIALIZED (
    SELECT l.id, l.root_job_id AS root_now, l.origin AS origin_now
    FROM llama_logs l
    JOIN llamalog_rebuild.llama_logs s ON s.id = l.id AND s.partition >= 0
    WHERE l.id = ANY ($1::uuid[])
), new_correction AS (
    {new_correction} WHERE EXISTS (SELECT FROM before WHERE origin_now IS NULL) RETURNING id
), changed AS (
    UPDATE llama_logs l
    SET entity_type = s.entity_type, entity_id = s.entity_id, artist_id = s.artist_id, album_id = s.album_id, track_id =
        s.track_id, operation = s.operation, category = s.category, sources = s.sources, status = s.status,
        reason = s.reason, fields_enriched = s.fields_enriched, data_quality_before = s.data_quality_before,
        data_quality_after = s.data_quality_after, error_message = s.error_message, error_code = s.error_code,
        retry_count = s.retry_count, duration_ms = s.duration_ms, api_call_count = s.api_call_count, metadata =
        s.metadata, preview_data = s.preview_data, job_id = s.job_id, parent_job_id = s.parent_job_id,
        is_root_job = s.is_root_job, triggered_by = s.triggered_by, user_id = s.user_id, created_at =
        s.created_at, declared_root_job_id = s.declared_root_job_id,
        producer_id = p.id, traceparent = coalesce(s.traceparent, l.traceparent), erased = s.erased, retracted = s.retracted,
        origin = coalesce(l.origin, CASE WHEN coalesce(s.job_id, s.parent_job_id) IS NULL THEN 'UNTRACKED' ELSE 'PENDING'
                                    END::"LlamaLogOrigin"),
        root_job_id = CASE WHEN l.origin IS NOT NULL THEN l.root_job_id END,
        legacy_sourced = CASE WHEN l.legacy_sourced THEN true END,
        settled_by = {settled_by},
        revision = {next_revision}
    FROM llamalog_rebuild.llama_logs s
    LEFT JOIN event_producers p ON p.source = s.producer
    WHERE l.id = ANY ($1::uuid[]) AND s.id = l.id AND s.partition >= 0
      AND (l.entity_type, l.entity_id, l.artist_id, l.album_id, l.track_id, l.operation, l.category,
           coalesce(l.sources, '{}'), l.status, l.reason, coalesce(l.fields_enriched, '{}'), l.data_quality_before, l.data_quality_after, l.error_message, l.error_code,
           l.retry_count, l.duration_ms, l.api_call_count, l.metadata, l.preview_data, l.job_id, l.parent_job_id,
           coalesce(l.is_root_job, false), l.triggered_by, l.user_id, l.created_at, l.declared_root_job_id, l.producer_id, l.erased, l.retracted)
          IS DISTINCT FROM
          (s.entity_type, s.entity_id, s.artist_id, s.album_id, s.track_id, s.operation, s.category,
           coalesce(s.sources, '{}'), s.status, s.reason, coalesce(s.fields_enriched, '{}'), s.data_quality_before, s.data_quality_after, s.error_message, s.error_code,
           s.retry_count, s.duration_ms, s.api_call_count, s.metadata, s.preview_data, s.job_id, s.parent_job_id,
           coalesce(s.is_root_job, false), s.triggered_by, s.user_id, s.created_at, s.declared_root_job_id, p.id, s.erased, s.retracted)
    RETURNING l.id, l.revision, l.root_job_id, l.origin
), noted AS (
    INSERT INTO provenance_outbox (row_id, revision) SELECT id, revision FROM changed
), known AS (
    SELECT id, revision, root_job_id, origin, root_now, origin_now FROM before JOIN changed USING (id)
), remembered AS (
    {remember}
)
SELECT id FROM changed
