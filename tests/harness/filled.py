"""A log with rows of every kind: every category, every origin, conflicts, legacy rows; dead letters, runs."""

from datetime import timedelta
from uuid import UUID, uuid5

import asyncpg

from harness.legacy_rows import write_as_another
from harness.topics import producing
from harness.writers import KeptMessages, Recomputer, Writer
from histories import NOON, event, override
from llamalog_schemas.codec import Headers
from llamalog_schemas.commands import BackfillRootsData, WholeTable
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
    FailureData,
    Status,
)
from llamalog_service.backfill.backfill_store import BackfillStore
from llamalog_service.domain.errors import DeadLetter
from llamalog_service.kafka.dead_letters import RejectedRecord, dead_letter_message
from llamalog_service.kafka.publisher import MessageProducer
from llamalog_service.kafka.topics import topics
from llamalog_service.settings import Settings

ALBUM, ARTIST, TRACK = UUID(int=0xA1B), UUID(int=0xA27), UUID(int=0x72A)
ROOT_JOB = "album/create 42, ü\u2028<b>"
RUN = UUID(int=0x9B)

_ODD = (
    "metadata = '[1, null]'",
    "metadata = (repeat('[', 70) || repeat(']', 70))::jsonb",
    "metadata = jsonb_build_object('n', '1e400'::numeric)",
    "sources = ARRAY['a', NULL]",
    "created_at = 'infinity'",
    "created_at = '0044-03-15 BC'",
    r"operation = E'a\x07\x1b[31m', error_message = E'<script>alert(1)</script>\u2028'",
)


Exists = EntityCreated | EntityLinked | EntityEnriched | EntityCorrected | EntityCached


class RefusedMessage:
    """A message as it was consumed."""

    def __init__(self, topic: str, offset: int, value: bytes | None) -> None:
        self.topic, self.partition, self.offset = topic, 0, offset
        self.key: bytes | None = b"\xff"
        self.value: bytes | None = value
        self.headers: Headers = [("x", b"\xff\xfe"), ("y", None)]


def entity_events() -> list[EntityEvent]:
    """What happened to one album, in every category."""
    return [
        _event(EntityCreated, 1, ROOT_JOB, None, entity=EntityType.ALBUM, name="Lemonade"),
        _event(EntityEnriched, 2, "enrich-42", ROOT_JOB, entity=EntityType.ALBUM, name="Lemonade"),
        _event(EntityCreated, 3, "track-42", "enrich-42", entity=EntityType.TRACK, name="Formation"),
        _event(EntityLinked, 4, "artist-42", "track-42", entity=EntityType.ARTIST, name="Beyoncé"),
        _event(EntityCached, 5, "cover-42", ROOT_JOB, entity=EntityType.ALBUM, name="Lemonade"),
        _event(EntityCorrected, 6, "admin-42", None, entity=EntityType.ALBUM, name="Lemonade"),
        _failure(7),
    ]


async def fill_log(pool: asyncpg.Pool) -> None:
    """Rows of every category, every origin, with conflicts, a cycle, and legacy ones."""
    kept = KeptMessages()
    writer, recomputer = Writer(pool, kept), Recomputer(pool, kept)
    await writer.write(
        *entity_events(),
        event(101, "orphan", "never-seen"),
        event(102, "declared", "never-seen-either", declared="boast"),
        event(103, "adopted-child", "adopted"),
        override(104, "adopted"),
        event(105, "ring-a", "ring-b"),
        event(106, "ring-b", "ring-a"),
        event(107, "below-ring", "ring-a"),
        event(108),
        event(109, "rival", "first-parent"),
        event(110, "rival", "second-parent"),
        event(111, "child-of-root", "other-root", declared="boast"),
        event(112, "other-root"),
        event(113, None, "other-root"),
    )
    await recomputer.settle()
    await write_as_another(pool, [("legacy", None), ("legacy-child", "legacy"), (None, None)])
    for number, change in enumerate(_ODD):
        row = uuid5(ALBUM, str(number))
        await pool.execute(
            "INSERT INTO llama_logs (id, operation, category, status, job_id, created_at) "
            "VALUES ($1, 'odd', 'CREATED', 'SUCCESS', 'odd', '2020-01-01')",
            row,
        )
        await pool.execute(f"UPDATE llama_logs SET {change} WHERE id = $1", row)


async def fill_installation(settings: Settings, pool: asyncpg.Pool) -> None:
    """All that, and dead letters, and a backfill that waits for its turn."""
    await fill_log(pool)
    await BackfillStore(pool).enqueue(RUN, BackfillRootsData(scope=WholeTable(), requested_by="tests"))
    names = topics(settings.topic_prefix)
    rejected = [
        RejectedRecord(
            RefusedMessage(names.entity_events.name, offset, b"\xff{" * (1 + offset * 500)),
            DeadLetter("not-json" if offset % 3 else "empty-value", f"it is no JSON: {offset}"),
        )
        for offset in range(30)
    ]
    async with producing(settings.kafka) as producer:
        messages = [dead_letter_message(one) for one in rejected]
        await MessageProducer(producer).send(names.dead_letters.name, messages)


def _event(
    kind: type[Exists], number: int, job: str, parent: str | None, *, entity: EntityType, name: str
) -> EntityEvent:
    ids = {EntityType.ALBUM: ALBUM, EntityType.ARTIST: ARTIST, EntityType.TRACK: TRACK}
    return kind(
        id=str(UUID(int=number)),
        source="/tests",
        time=NOON + timedelta(seconds=number),
        specversion="1.0",
        data=EntityData(
            entity_type=entity,
            entity_id=ids[entity],
            album_id=ALBUM,
            operation=f"{entity.lower()}:{kind.__name__.removeprefix('Entity').lower()}:test",
            status=Status.SUCCESS,
            sources=("MUSICBRAINZ", "DISCOGS"),
            fields_enriched=("title", "year"),
            data_quality_before=DataQuality.LOW,
            data_quality_after=DataQuality.HIGH,
            duration_ms=1234,
            api_call_count=2,
            job_id=job,
            parent_job_id=parent,
            user_id="user-7",
            triggered_by="api",
            metadata={"title": name, "deep": {"list": [1, None, {"x": "y"}]}},
        ),
    )


def _failure(number: int) -> EntityFailed:
    return EntityFailed(
        id=str(UUID(int=number)),
        source="/tests",
        time=NOON + timedelta(seconds=number),
        specversion="1.0",
        data=FailureData(
            entity_type=EntityType.ARTIST,
            operation="artist:created:album",
            status=Status.NO_DATA_AVAILABLE,
            album_id=ALBUM,
            error_code="NO_ARTIST_DATA",
            error_message="Nothing was found <img src=x onerror=alert(1)>",
            retry_count=3,
            job_id="artist-lookup",
            parent_job_id=ROOT_JOB,
        ),
    )
