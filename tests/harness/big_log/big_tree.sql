-- $2 rows under one root $1, a fan of three levels: every tenth hangs off the root, the others off one of those.
    INSERT INTO llama_logs (
    id, entity_type, entity_id, artist_id, album_id, track_id, operation, category, sources, status, reason,
    fields_enriched, data_quality_before, data_quality_after, error_message, error_code, retry_count,
    duration_ms, api_call_count, metadata, job_id, parent_job_id, root_job_id, is_root_job, triggered_by,
    user_id, created_at, origin, cycle_members, parent_conflict, recorded_at, producer_id
)
    SELECT gen_random_uuid(), 'TRACK', md5('big' || n)::uuid, NULL, NULL, md5('big' || n)::uuid,
           'track:created:import', 'CREATED', '{LABEL}', 'SUCCESS', NULL, '{title}', NULL, 'LOW', NULL, NULL, 0, 5, 0,
           jsonb_build_object('title', 'Song ' || n),
           CASE WHEN n = 0 THEN $1::text WHEN n % 10 = 0 THEN 'import-album-' || n ELSE 'import-track-' || n END,
           CASE WHEN n = 0 THEN NULL WHEN n % 10 = 0 OR n < 10 THEN $1 ELSE 'import-album-' || n / 10 * 10 END,
           $1, n = 0, 'import', NULL, timestamp '2025-06-01' + n * interval '20 ms',
           CASE WHEN n = 0 THEN 'ROOT' ELSE 'RESOLVED' END::"LlamaLogOrigin", NULL, false, now(), 4
    FROM generate_series(0, $2::integer - 1) n
