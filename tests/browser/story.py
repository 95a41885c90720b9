"""What the log of these tests holds: an album's way into the catalogue, rows of unknown origin,
contradictions, messages that are none, and words that a careless page would obey."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final, TypeVar
from uuid import UUID, uuid4, uuid5

from llamalog_schemas.codec import STRUCTURED_HEADERS, Headers, encode
from llamalog_schemas.events import (
    DataQuality,
    EntityCached,
    EntityCorrected,
    EntityCreated,
    EntityData,
    EntityEnriched,
    EntityEvent,
    EntityFailed,
    EntityLinked,
    EntityType,
    EventRetracted,
    FailureData,
    RetractionData,
    Status,
    row_id,
)

Kind = TypeVar("Kind", EntityCreated, EntityLinked, EntityEnriched, EntityCorrected, EntityCached)

_SPACE: Final = UUID(int=2)
_BEGAN: Final = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
_numbers = count()


def known(name: str) -> UUID:
    """The id of an entity of the story."""
    return uuid5(_SPACE, name)


def _envelope() -> dict[str, Any]:
    return {
        "id": str(uuid4()),
        "source": "/tests/browser",
        "time": _BEGAN + timedelta(seconds=next(_numbers)),
        "specversion": "1.0",
    }


def about(kind: type[Kind], entity: tuple[EntityType, UUID], operation: str, **details: Any) -> Kind:
    """An event about an entity, a second after the one before."""
    status = details.pop("status", Status.SUCCESS)
    data = EntityData(
        entity_type=entity[0], entity_id=entity[1], operation=operation, status=status, **details
    )
    return kind(**_envelope(), data=data)


def failed(entity_type: EntityType, operation: str, **details: Any) -> EntityFailed:
    """A failure before there was an entity."""
    data = FailureData(entity_type=entity_type, operation=operation, status=Status.FAILED, **details)
    return EntityFailed(**_envelope(), data=data)


def retracted(event: EntityEvent, reason: str) -> EventRetracted:
    """The retraction of an event."""
    data = RetractionData(row_id=row_id(event), reason=reason, requested_by="rita")
    return EventRetracted(**_envelope(), data=data)


LEMONADE: Final = (EntityType.ALBUM, known("Lemonade"))
BEYONCE: Final = (EntityType.ARTIST, known("Beyoncé"))
ROOT_JOB: Final = "import/2026 02/über: Lemonade?&#%"
"""A job may be named by anything."""
ENRICHMENT: Final = "enrich-lemonade"


def lemonade() -> Iterator[EntityEvent]:
    """An album's way: created, enriched, its artist linked, a cover cached, a correction by hand."""
    album = LEMONADE[1]
    yield about(
        EntityCreated,
        LEMONADE,
        "album:created",
        job_id=ROOT_JOB,
        user_id="otto@example.org",
        triggered_by="import",
        data_quality_after=DataQuality.LOW,
        metadata={"title": "Lemonade", "tracks": 12},
    )
    yield about(
        EntityEnriched,
        LEMONADE,
        "enrichment:album",
        job_id=ENRICHMENT,
        parent_job_id=ROOT_JOB,
        sources=("MUSICBRAINZ", "DISCOGS"),
        fields_enriched=("releaseDate", "label"),
        data_quality_before=DataQuality.LOW,
        data_quality_after=DataQuality.HIGH,
        duration_ms=1234,
        api_call_count=3,
        metadata={"title": "Lemonade"},
    )
    for number, title in enumerate(("Pray You Catch Me", "Hold Up", "Formation"), start=1):
        yield about(
            EntityCreated,
            (EntityType.TRACK, known(title)),
            "track:created:enrichment",
            album_id=album,
            job_id=f"track-{number}-lemonade",
            parent_job_id=ENRICHMENT,
            metadata={"title": title, "trackNumber": number},
        )
    yield about(
        EntityLinked,
        BEYONCE,
        "artist:linked:enrichment",
        album_id=album,
        job_id="artist-lemonade",
        parent_job_id="track-3-lemonade",
        metadata={"name": "Beyoncé"},
    )
    yield about(
        EntityCached,
        LEMONADE,
        "cache:album-cover-art",
        job_id="cover-lemonade",
        parent_job_id=ENRICHMENT,
        metadata={"title": "Lemonade"},
    )
    yield failed(
        EntityType.ARTIST,
        "artist:created:album",
        album_id=album,
        job_id="guests-lemonade",
        parent_job_id=ENRICHMENT,
        error_code="NO_ARTIST_DATA",
        error_message="Discogs knows no guest of this album.",
        retry_count=2,
    )
    yield about(
        EntityCorrected,
        LEMONADE,
        "admin_correction",
        job_id="correct-lemonade",
        parent_job_id=ROOT_JOB,
        user_id="rita",
        fields_enriched=("title",),
        metadata={"title": "Lemonade"},
    )


LOST_JOB: Final = "import-never-seen"
LOST: Final = (EntityType.ALBUM, known("Lost"))


def unknown_origins() -> Iterator[EntityEvent]:
    """Rows without a root, for each reason that there is."""
    yield about(EntityCached, LEMONADE, "cache:by-hand", metadata={"title": "Lemonade"})  # UNTRACKED
    for number in range(3):  # PENDING
        yield about(
            EntityCreated,
            LOST,
            "album:created",
            job_id=f"below-lost-{number}",
            parent_job_id=LOST_JOB,
            metadata={"title": "Lost"},
        )
    ring = ("ring-a", "ring-b", "ring-c")
    for job, parent in zip(ring, (*ring[1:], ring[0]), strict=True):  # CYCLE
        yield about(EntityEnriched, LOST, "enrichment:album", job_id=job, parent_job_id=parent)


def contradictions() -> Iterator[EntityEvent]:
    """A job with two parents, and one that declares another root than it has."""
    enriched = (EntityType.TRACK, known("Hold Up"))
    yield about(
        EntityEnriched, enriched, "enrichment:track", job_id="track-2-lemonade", parent_job_id="rival-parent"
    )
    yield about(
        EntityEnriched,
        enriched,
        "enrichment:track",
        job_id="lyrics-2",
        parent_job_id="track-2-lemonade",
        root_job_id="declared-root",
    )


HOSTILE: Final = """"'><img src=x onerror=alert(1)>{{7*7}}"""
"""Ends an attribute or a tag, and runs if it does."""
HOSTILE_ENTITY: Final = (EntityType.ALBUM, known("hostile"))
HOSTILE_ROOT: Final = f"{HOSTILE} root"
_ENDS_ELEMENTS: Final = "</script></title></textarea></style><svg onload=alert(2)>"


def hostile() -> Iterator[EntityEvent]:
    """A word that a careless page would obey, in every field that takes words."""
    yield about(
        EntityCreated,
        HOSTILE_ENTITY,
        HOSTILE,
        job_id=HOSTILE_ROOT,
        user_id=HOSTILE,
        triggered_by=HOSTILE,
        reason=_ENDS_ELEMENTS,
        sources=(HOSTILE, _ENDS_ELEMENTS),
        fields_enriched=(HOSTILE, _ENDS_ELEMENTS),
        metadata={"title": HOSTILE + _ENDS_ELEMENTS, HOSTILE: [_ENDS_ELEMENTS, {_ENDS_ELEMENTS: HOSTILE}]},
        preview_data={_ENDS_ELEMENTS: HOSTILE},
    )
    yield failed(
        EntityType.ALBUM,
        _ENDS_ELEMENTS,
        album_id=HOSTILE_ENTITY[1],
        job_id=f"{HOSTILE} child",
        parent_job_id=HOSTILE_ROOT,
        root_job_id=f"{HOSTILE} declared",
        error_code=HOSTILE,
        error_message=_ENDS_ELEMENTS + HOSTILE,
        reason=HOSTILE,
        metadata={"title": _ENDS_ELEMENTS},
    )
    yield about(
        EntityEnriched,
        HOSTILE_ENTITY,
        "enrichment:album",
        job_id=f"{HOSTILE} child",
        parent_job_id=f"{HOSTILE} rival",
        metadata={"name": _ENDS_ELEMENTS},
    )
    yield about(
        EntityEnriched,
        HOSTILE_ENTITY,
        "enrichment:album",
        job_id=f"{HOSTILE} waits",
        parent_job_id=f"{HOSTILE} never seen",
    )
    ring = (f"{HOSTILE} a", f"{HOSTILE} b")
    for job, parent in zip(ring, reversed(ring), strict=True):
        yield about(EntityEnriched, HOSTILE_ENTITY, "enrichment:album", job_id=job, parent_job_id=parent)


Raw = tuple[bytes | None, bytes, Headers]
"""Key, value and headers."""


def refused() -> Iterator[Raw]:
    """Messages that become dead letters, the hostile among them."""
    good = json.loads(encode(about(EntityCreated, LEMONADE, "album:created")))
    for number in range(3):
        yield f"key-{number}".encode(), b"no JSON", STRUCTURED_HEADERS
    yield None, b"\xff\xfe\x00 bytes", [("content-type", b"application/cloudevents+json")]
    yield b"k", json.dumps(good | {"type": "llamalog.entity-sung.v1"}).encode(), STRUCTURED_HEADERS
    yield (
        HOSTILE.encode(),
        json.dumps(good | {"type": HOSTILE, _ENDS_ELEMENTS: HOSTILE}).encode(),
        [*STRUCTURED_HEADERS, (HOSTILE, _ENDS_ELEMENTS.encode()), ("llamalog-reason", HOSTILE.encode())],
    )
    yield (
        b"k",
        json.dumps(good | {"data": good["data"] | {HOSTILE: _ENDS_ELEMENTS}}).encode(),
        STRUCTURED_HEADERS,
    )


BROAD_ROOT: Final = "root-of-twenty-thousand"
BROAD_ROWS: Final = 20_000

BROAD_SQL: Final = f"""
    INSERT INTO llama_logs (id, entity_type, entity_id, track_id, operation, category, status, metadata,
        job_id, parent_job_id, root_job_id, is_root_job, origin, created_at)
    SELECT md5('broad ' || n)::uuid, 'TRACK', md5('track ' || n)::uuid, md5('track ' || n)::uuid,
        'track:created:enrichment', 'CREATED', 'SUCCESS', jsonb_build_object('title', 'Song ' || n),
        CASE n WHEN 0 THEN $1 ELSE 'broad-' || n END, CASE n WHEN 0 THEN NULL ELSE $1 END, $1, n = 0,
        CASE n WHEN 0 THEN 'ROOT' ELSE 'RESOLVED' END::"LlamaLogOrigin",
        $2::timestamp + n * interval '1 millisecond'
    FROM generate_series(0, {BROAD_ROWS}) n
"""

LEGACY_SQL: Final = """
    INSERT INTO llama_logs (id, entity_type, entity_id, operation, category, status, sources, reason,
        fields_enriched, error_message, error_code, metadata, preview_data, job_id, parent_job_id,
        triggered_by, user_id, created_at)
    VALUES (md5('legacy')::uuid, 'ALBUM', $1, $2::text, 'FAILED', 'FAILED', ARRAY[$2::text, NULL], $2::text,
        ARRAY[$2::text], $2::text, left($2::text, 50), to_jsonb($2::text), jsonb_build_array($2::text),
        $2::text || ' legacy', $2::text || ' legacy parent', left($2::text, 50), $2::text, $3)
"""
