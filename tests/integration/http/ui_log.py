"""The log that the tests of the pages read: real stories, and what is odd in other logs."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from harness.log_table import write_at_rest
from histories import event, override
from llamalog_schemas.events import (
    EntityData,
    EntityEvent,
    EntityFailed,
    EntityType,
    Event,
    FailureData,
    Status,
)
from llamalog_service.domain.fold import fold
from llamalog_service.postgres.pool import create_pool
from llamalog_tools.demo.day import generate_day

ALBUM, LARGE_ALBUM, HOSTILE_ALBUM = UUID(int=51), UUID(int=52), UUID(int=53)
LARGE_ROOT, LARGE = "import-everything", 20_000
HOSTILE = "'\"><img src=x onerror=alert(1)></bdi></td><script>alert(2)</script>{{7*7}}\u202e\u0007&amp;"
HOSTILE_JOB = f"/../?a=b&c#d%00 {HOSTILE}"[:100]


async def fill(database_url: str) -> None:
    """Write all of it, at rest."""
    events = [*generate_day(12, 7), *_story(), *_odd(), *_hostile(), *_large()]
    async with create_pool(database_url, min_size=0, max_size=1) as pool:
        await write_at_rest(pool, fold(events).values())
        await pool.execute("ANALYZE llama_logs")


def about(number: int, job: str | None, parent: str | None = None, **data: Any) -> EntityEvent:
    """An event with other data than it has from `histories`."""
    plain = event(number, job, parent)
    return replace(plain, data=replace(plain.data, **data))


def _story() -> Iterator[Event]:
    album: dict[str, Any] = {"entity_type": EntityType.ALBUM, "entity_id": ALBUM, "album_id": ALBUM}
    title = {"title": "A Love Supreme"}
    yield about(100, "create-love", operation="album:created", metadata=title, user_id="ada", **album)
    yield about(
        101,
        "enrich-love",
        "create-love",
        operation="enrichment:album",
        sources=("MUSICBRAINZ", "LINER_NOTES"),
        fields_enriched=("label", "barcode"),
        data_quality_before="LOW",
        data_quality_after="HIGH",
        duration_ms=1234,
        api_call_count=3,
        metadata={**title, "candidates": 7},
        **album,
    )
    yield EntityFailed(
        id=str(UUID(int=102)),
        source="/tests",
        time=event(102).time,
        specversion="1.0",
        data=FailureData(
            operation="cache:album-cover-art",
            status=Status.FAILED,
            error_code="IMAGE_NOT_FOUND",
            error_message="The shelf is empty.",
            retry_count=3,
            job_id="cache-love",
            parent_job_id="enrich-love",
            **album,
        ),
    )
    yield about(103, None, operation="spotify:sync", **album)


def _odd() -> Iterator[Event]:
    yield event(200, "waits", "never-seen")
    yield event(201, "ring-a", "ring-b")
    yield event(202, "ring-b", "ring-a")
    yield event(203, "adopted-child", "never-seen-but-adopted")
    yield override(204, "never-seen-but-adopted")
    yield event(205, "torn", "one-parent")
    yield event(206, "torn", "other-parent")
    for depth in range(40):
        yield event(300 + depth, f"deep-{depth}", f"deep-{depth - 1}" if depth else None)


def _hostile() -> Iterator[Event]:
    plain = EntityData(
        entity_type=EntityType.ALBUM,
        entity_id=HOSTILE_ALBUM,
        album_id=HOSTILE_ALBUM,
        operation=HOSTILE[:100],
        sources=(HOSTILE,),
        status=Status.FAILED,
        reason=HOSTILE,
        fields_enriched=(HOSTILE,),
        error_message=HOSTILE,
        error_code=HOSTILE[:50],
        metadata={"title": HOSTILE, HOSTILE: [HOSTILE]},
        preview_data={HOSTILE: HOSTILE},
        job_id=HOSTILE_JOB,
        triggered_by=HOSTILE[:50],
        user_id=HOSTILE,
    )
    yield replace(event(400), data=plain)
    yield replace(
        event(401), data=replace(plain, job_id=None, parent_job_id=HOSTILE_JOB, root_job_id=HOSTILE[:100])
    )
    yield replace(
        event(402), data=replace(plain, job_id=HOSTILE[:90] + "ring", parent_job_id=HOSTILE[:90] + "gnir")
    )
    yield replace(
        event(403), data=replace(plain, job_id=HOSTILE[:90] + "gnir", parent_job_id=HOSTILE[:90] + "ring")
    )


def _large() -> Iterator[Event]:
    album: dict[str, Any] = {
        "entity_type": EntityType.ALBUM,
        "entity_id": LARGE_ALBUM,
        "album_id": LARGE_ALBUM,
    }
    yield about(100_000, LARGE_ROOT, operation="album:created", metadata={"title": "Everything"}, **album)
    for number in range(1, LARGE):
        yield event(100_000 + number, f"import-{number}", LARGE_ROOT)
