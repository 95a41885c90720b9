-- The albums number $1 to $2: what each of their nine rows is, of which parent, when after the album was added. Ids of
-- rows are UUIDv7, as the kit makes those of events; ids of entities are random, as catalogues have them.
INSERT INTO llama_logs (
    id, entity_type, entity_id, artist_id, album_id, track_id, operation, category, sources, status, reason,
    fields_enriched, data_quality_before, data_quality_after, error_message, error_code, retry_count,
    duration_ms, api_call_count, metadata, job_id, parent_job_id, root_job_id, is_root_job, triggered_by,
    user_id, created_at, origin, cycle_members, parent_conflict, recorded_at, producer_id
)
SELECT
    uuidv7(), kind.entity_type::"EnrichmentEntityType",
    CASE kind.entity_type WHEN 'ALBUM' THEN a.album WHEN 'ARTIST' THEN a.artist ELSE its.track END,
    a.artist, a.album, CASE kind.entity_type WHEN 'TRACK' THEN its.track END, kind.operation,
    CASE WHEN its.failure THEN 'FAILED' WHEN its.link THEN 'LINKED' ELSE kind.category END::"LlamaLogCategory",
    kind.sources::text[],
    CASE WHEN its.failure THEN 'FAILED' WHEN its.lack THEN 'NO_DATA_AVAILABLE' ELSE 'SUCCESS' END::"EnrichmentStatus",
    NULL, kind.fields::text[], 'LOW', 'HIGH',
    CASE WHEN its.failure THEN 'The source answered 503, three times' END,
    CASE WHEN its.failure THEN 'RATE_LIMITED' END, CASE WHEN its.failure THEN 3 ELSE 0 END, 120, 2,
    jsonb_build_object(CASE kind.entity_type WHEN 'ARTIST' THEN 'name' ELSE 'title' END, kind.name || a.n,
                       'trackNumber', kind.number),
    kind.job || a.short, kind.parent || a.short, 'album-create-' || a.short, its.beginning, 'catalogue',
    'user-' || a.n % 500, a.added + kind.number * interval '37 ms',
    CASE WHEN its.beginning THEN 'ROOT' ELSE 'RESOLVED' END::"LlamaLogOrigin", NULL, its.conflict, now(),
    CASE WHEN its.link THEN 3 ELSE 2 END
FROM (
    SELECT n, md5('album' || n)::uuid AS album,
           md5('artist' || CASE WHEN n % 50 = 0 THEN 0 ELSE n % 20000 END)::uuid AS artist,
           md5('album' || n)::uuid::text AS short, timestamp '2024-01-01' + n * interval '9 minutes' AS added
    FROM generate_series($1::integer, $2::integer) n
) a
CROSS JOIN (VALUES
    (1, 'ALBUM', 'album:created:manual', 'CREATED', '{USER}', '{title,artist}', 'Album ', 'album-create-', NULL),
    (2, 'ALBUM', 'enrichment:album:musicbrainz', 'ENRICHED', '{MUSICBRAINZ}', '{releaseDate,label}', 'Album ',
     'enrich-album-', 'album-create-'),
    (3, 'ARTIST', 'artist:created:enrichment', 'CREATED', '{MUSICBRAINZ}', '{name}', 'Artist ',
     'enrich-album-', 'album-create-'),
    (4, 'TRACK', 'track:created:enrichment', 'CREATED', '{MUSICBRAINZ,SPOTIFY}', '{title,trackNumber}', 'Song ',
     'track-create-1-', 'enrich-album-'),
    (5, 'TRACK', 'track:created:enrichment', 'CREATED', '{MUSICBRAINZ}', '{title,trackNumber}', 'Song ',
     'track-create-2-', 'enrich-album-'),
    (6, 'TRACK', 'track:created:enrichment', 'CREATED', '{MUSICBRAINZ}', '{title,trackNumber}', 'Song ',
     'track-create-3-', 'enrich-album-'),
    (7, 'TRACK', 'enrichment:track:spotify', 'ENRICHED', '{SPOTIFY}', '{duration,previewUrl}', 'Song ',
     'track-enrich-3-', 'track-create-3-'),
    (8, 'ARTIST', 'enrichment:artist:discogs', 'ENRICHED', '{DISCOGS}', '{biography}', 'Artist ',
     'enrich-artist-', 'enrich-album-'),
    (9, 'ALBUM', 'cache:cover:album', 'CACHED', '{COVERART}', '{cover}', 'Album ',
     'cache-cover-', 'enrich-album-')
) kind (number, entity_type, operation, category, sources, fields, name, job, parent)
CROSS JOIN LATERAL (
    SELECT md5('track' || a.n || '-' || kind.number)::uuid AS track, kind.parent IS NULL AS beginning,
           kind.number = 2 AND a.n % 40 = 3 AS failure, kind.number = 3 AND a.n % 3 > 0 AS link,
           kind.number = 8 AND a.n % 50 = 7 AS lack, kind.number = 9 AND a.n % 5000 = 11 AS conflict
) its
ORDER BY a.n, kind.number
