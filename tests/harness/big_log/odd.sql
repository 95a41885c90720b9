-- $1 rows without a known root, of every reason, and rows below jobs that were adopted.
    INSERT INTO llama_logs (
    id, entity_type, entity_id, artist_id, album_id, track_id, operation, category, sources, status, reason,
    fields_enriched, data_quality_before, data_quality_after, error_message, error_code, retry_count,
    duration_ms, api_call_count, metadata, job_id, parent_job_id, root_job_id, is_root_job, triggered_by,
    user_id, created_at, origin, cycle_members, parent_conflict, recorded_at, producer_id, traceparent
)
    SELECT gen_random_uuid(), 'ALBUM', md5('album' || n)::uuid, NULL, md5('album' || n)::uuid, NULL,
           'check:album', 'ENRICHED', '{}', 'SUCCESS', 'nightly', '{}', NULL, NULL, NULL, NULL, NULL, 5, 0,
           NULL,
           CASE WHEN n % 5 > 0 THEN 'odd-' || n END,
           CASE n % 5 WHEN 1 THEN 'never-seen-' || n / 50 WHEN 2 THEN 'odd-' || n + 1 WHEN 3 THEN 'odd-' || n - 1
                      WHEN 4 THEN 'adopted-' || n / 100 END,
           CASE WHEN n % 5 = 4 THEN 'adopted-' || n / 100 END, false, NULL, NULL,
           timestamp '2024-02-01' + n * interval '2 hours',
           (ARRAY['UNTRACKED', 'PENDING', 'CYCLE', 'CYCLE', 'ADOPTED'])[1 + n % 5]::"LlamaLogOrigin",
           CASE n % 5 WHEN 2 THEN ARRAY['odd-' || n, 'odd-' || n + 1] WHEN 3 THEN ARRAY['odd-' || n - 1, 'odd-' || n] END,
           false, now(), CASE WHEN n % 1000 = 0 THEN 1 ELSE 2 END,
           CASE WHEN n % 1000 = 0 THEN '00-9c9eb1f4a1b1a2b3c4d5e6f708192a3b-b7ad6b7169203331-01' END
    FROM generate_series(1, $1::integer) n
