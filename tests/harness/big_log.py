"""A log of a catalogue: albums of nine rows each, one root with 20,000 rows, and some of everything that is odd.

Written by PostgreSQL itself, roots and origins as the rule gives them, in the order of time.
"""

from dataclasses import dataclass
from uuid import UUID

import asyncpg

BIG_ROOT = "import-of-a-label"
BIG_ROOT_ROWS = 20_000
ROWS_AN_ALBUM = 9

_COLUMNS = """
    id, entity_type, entity_id, artist_id, album_id, track_id, operation, category, sources, status, reason,
    fields_enriched, data_quality_before, data_quality_after, error_message, error_code, retry_count,
    duration_ms, api_call_count, metadata, job_id, parent_job_id, root_job_id, is_root_job, triggered_by,
    user_id, created_at, origin, cycle_members, parent_conflict, recorded_at
"""

# What each of an album's rows is: its kind, its entity, its parent, seconds after the album was added.
_ALBUMS = f"""
    INSERT INTO llama_logs ({_COLUMNS})
    SELECT gen_random_uuid(), kind.entity_type::"EnrichmentEntityType",
           CASE kind.entity_type WHEN 'ALBUM' THEN a.album WHEN 'ARTIST' THEN a.artist
                                 ELSE md5('track' || a.n || '-' || kind.number)::uuid END,
           a.artist, a.album,
           CASE kind.entity_type WHEN 'TRACK' THEN md5('track' || a.n || '-' || kind.number)::uuid END,
           kind.operation,
           CASE WHEN a.n % 40 = 3 AND kind.number = 2 THEN 'FAILED' WHEN a.n % 3 > 0 AND kind.number = 3 THEN 'LINKED'
                ELSE kind.category END::"LlamaLogCategory",
           kind.sources::text[],
           CASE WHEN a.n % 40 = 3 AND kind.number = 2 THEN 'FAILED' WHEN a.n % 50 = 7 AND kind.number = 8
                THEN 'NO_DATA_AVAILABLE' ELSE 'SUCCESS' END::"EnrichmentStatus",
           NULL, kind.fields::text[], 'LOW', 'HIGH',
           CASE WHEN a.n % 40 = 3 AND kind.number = 2 THEN 'The source answered 503, three times' END,
           CASE WHEN a.n % 40 = 3 AND kind.number = 2 THEN 'RATE_LIMITED' END,
           CASE WHEN a.n % 40 = 3 AND kind.number = 2 THEN 3 ELSE 0 END,
           120, 2, jsonb_build_object(CASE kind.entity_type WHEN 'ARTIST' THEN 'name' ELSE 'title' END,
                                      kind.name || a.n, 'trackNumber', kind.number),
           kind.job || a.short, kind.parent || a.short, 'album-create-' || a.short,
           kind.parent IS NULL, 'catalogue', 'user-' || a.n % 500,
           a.added + kind.number * interval '37 ms', CASE WHEN kind.parent IS NULL THEN 'ROOT' ELSE 'RESOLVED' END::
           "LlamaLogOrigin", NULL, a.n % 5000 = 11 AND kind.number = 9, now()
    FROM (
        SELECT n, md5('album' || n)::uuid AS album, md5('artist' || CASE WHEN n % 50 = 0 THEN 0 ELSE n % 20000 END)::uuid
               AS artist, left(md5('album' || n), 16) AS short, timestamp '2024-01-01' + n * interval '9 minutes' AS added
        FROM generate_series($1::integer, $2::integer) n
    ) a
    CROSS JOIN (VALUES
        (1, 'ALBUM', 'album:created:manual', 'CREATED', '{{USER}}', '{{title,artist}}', 'Album ', 'album-create-', NULL),
        (2, 'ALBUM', 'enrichment:album:musicbrainz', 'ENRICHED', '{{MUSICBRAINZ}}', '{{releaseDate,label}}', 'Album ',
         'enrich-album-', 'album-create-'),
        (3, 'ARTIST', 'artist:created:enrichment', 'CREATED', '{{MUSICBRAINZ}}', '{{name}}', 'Artist ',
         'enrich-album-', 'album-create-'),
        (4, 'TRACK', 'track:created:enrichment', 'CREATED', '{{MUSICBRAINZ,SPOTIFY}}', '{{title,trackNumber}}', 'Song ',
         'track-create-1-', 'enrich-album-'),
        (5, 'TRACK', 'track:created:enrichment', 'CREATED', '{{MUSICBRAINZ}}', '{{title,trackNumber}}', 'Song ',
         'track-create-2-', 'enrich-album-'),
        (6, 'TRACK', 'track:created:enrichment', 'CREATED', '{{MUSICBRAINZ}}', '{{title,trackNumber}}', 'Song ',
         'track-create-3-', 'enrich-album-'),
        (7, 'TRACK', 'enrichment:track:spotify', 'ENRICHED', '{{SPOTIFY}}', '{{duration,previewUrl}}', 'Song ',
         'track-enrich-3-', 'track-create-3-'),
        (8, 'ARTIST', 'enrichment:artist:discogs', 'ENRICHED', '{{DISCOGS}}', '{{biography}}', 'Artist ',
         'enrich-artist-', 'enrich-album-'),
        (9, 'ALBUM', 'cache:cover:album', 'CACHED', '{{COVERART}}', '{{cover}}', 'Album ',
         'cache-cover-', 'enrich-album-')
    ) kind (number, entity_type, operation, category, sources, fields, name, job, parent)
    ORDER BY a.n, kind.number
"""

# A fan of three levels: every tenth row hangs off the root, the others off one of those.
_BIG_TREE = f"""
    INSERT INTO llama_logs ({_COLUMNS})
    SELECT gen_random_uuid(), 'TRACK', md5('big' || n)::uuid, NULL, NULL, md5('big' || n)::uuid,
           'track:created:import', 'CREATED', '{{LABEL}}', 'SUCCESS', NULL, '{{title}}', NULL, 'LOW', NULL, NULL, 0, 5, 0,
           jsonb_build_object('title', 'Song ' || n),
           CASE WHEN n = 0 THEN $1::text WHEN n % 10 = 0 THEN 'import-album-' || n ELSE 'import-track-' || n END,
           CASE WHEN n = 0 THEN NULL WHEN n % 10 = 0 OR n < 10 THEN $1 ELSE 'import-album-' || n / 10 * 10 END,
           $1, n = 0, 'import', NULL, timestamp '2025-06-01' + n * interval '20 ms',
           CASE WHEN n = 0 THEN 'ROOT' ELSE 'RESOLVED' END::"LlamaLogOrigin", NULL, false, now()
    FROM generate_series(0, $2::integer - 1) n
"""

# Rows without a known root, of every reason, and rows below a job that was adopted.
_ODD = f"""
    INSERT INTO llama_logs ({_COLUMNS})
    SELECT gen_random_uuid(), 'ALBUM', md5('album' || n)::uuid, NULL, md5('album' || n)::uuid, NULL,
           'check:album', 'ENRICHED', '{{}}', 'SUCCESS', 'nightly', '{{}}', NULL, NULL, NULL, NULL, NULL, 5, 0,
           NULL,
           CASE WHEN n % 5 > 0 THEN 'odd-' || n END,
           CASE n % 5 WHEN 1 THEN 'never-seen-' || n / 50 WHEN 2 THEN 'odd-' || n + 1 WHEN 3 THEN 'odd-' || n - 1
                      WHEN 4 THEN 'adopted-' || n / 100 END,
           CASE WHEN n % 5 = 4 THEN 'adopted-' || n / 100 END, false, NULL, NULL,
           timestamp '2024-02-01' + n * interval '2 hours',
           (ARRAY['UNTRACKED', 'PENDING', 'CYCLE', 'CYCLE', 'ADOPTED'])[1 + n % 5]::"LlamaLogOrigin",
           CASE n % 5 WHEN 2 THEN ARRAY['odd-' || n, 'odd-' || n + 1] WHEN 3 THEN ARRAY['odd-' || n - 1, 'odd-' || n] END,
           false, now()
    FROM generate_series(1, $1::integer) n
"""


@dataclass(frozen=True, slots=True)
class BigLog:
    """What there is in it, for questions to name.

    Attributes:
        albums: their numbers are from 1 to this.
        odd: rows of unknown origin, or adopted.
    """

    albums: int
    big_root_rows: int
    odd: int

    @property
    def rows(self) -> int:
        return self.albums * ROWS_AN_ALBUM + self.big_root_rows + self.odd


async def fill(connection: asyncpg.Connection, log: BigLog) -> None:
    """Write the rows, in the order of their ids' making; statistics and visibility are the caller's business."""
    for first in range(1, log.albums + 1, 10_000):
        await connection.execute(_ALBUMS, first, min(first + 9_999, log.albums), timeout=3600)
    await connection.execute(_BIG_TREE, BIG_ROOT, log.big_root_rows, timeout=3600)
    await connection.execute(_ODD, log.odd, timeout=3600)


async def names_of(connection: asyncpg.Connection, album: int) -> tuple[UUID, UUID, str]:
    """The id of an album, of its artist, and the album's root job."""
    found = await connection.fetchrow(
        """
        SELECT md5('album' || $1::text)::uuid AS album, left(md5('album' || $1::text), 16) AS short,
               md5('artist' || CASE WHEN $2 % 50 = 0 THEN 0 ELSE $2 % 20000 END)::uuid AS artist
        """,
        str(album),
        album,
    )
    return found["album"], found["artist"], f"album-create-{found['short']}"
