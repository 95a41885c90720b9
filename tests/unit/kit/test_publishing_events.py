"""One call, one event, as the service will read it."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from uuid import UUID, uuid4

import pytest

from llamalog_schemas import EntityCreated, EntityEvent, EntityFailed, EntityLinked, InvalidMessageError
from llamalog_schemas.events import DataQuality, EntityType, Status, lineage_key
from llamalog_schemas.producer import ConsoleTransport, InMemoryTransport, LlamaLogger, Loss, LossReason

ALBUM = UUID("6b1f0000-0000-4000-8000-000000000001")
ARTIST = UUID("a4710000-0000-4000-8000-000000000002")


@pytest.fixture
def memory() -> InMemoryTransport:
    return InMemoryTransport()


@pytest.fixture
def log(memory: InMemoryTransport) -> LlamaLogger:
    return LlamaLogger(memory, source="/catalogue/albums")


def only(memory: InMemoryTransport) -> EntityEvent:
    (event,) = memory.events
    assert isinstance(event, EntityEvent)
    return event


async def test_an_event_has_the_values_of_the_call(memory: InMemoryTransport, log: LlamaLogger) -> None:
    await log.created(
        "ALBUM",
        str(ALBUM),
        operation="album:created:spotify",
        sources=["SPOTIFY"],
        fields_enriched=["title"],
        data_quality_after="HIGH",
        metadata={"title": "Lemonade"},
        duration_ms=12,
    )
    event = only(memory)
    assert isinstance(event, EntityCreated)
    assert event.source == "/catalogue/albums"
    assert event.subject == f"ALBUM/{ALBUM}"
    assert event.data.entity_type is EntityType.ALBUM
    assert event.data.entity_id == ALBUM
    assert event.data.status is Status.SUCCESS
    assert event.data.sources == ("SPOTIFY",)
    assert event.data.data_quality_after is DataQuality.HIGH
    assert event.data.metadata == {"title": "Lemonade"}
    assert abs(event.time - datetime.now(UTC)) < timedelta(seconds=5)
    assert memory.messages[0].key == lineage_key(event)
    assert memory.messages[0].topic == "llamalog.entity-events"


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        ("created", "llamalog.entity-created.v1"),
        ("linked", "llamalog.entity-linked.v1"),
        ("enriched", "llamalog.entity-enriched.v1"),
        ("corrected", "llamalog.entity-corrected.v1"),
        ("cached", "llamalog.entity-cached.v1"),
        ("failed", "llamalog.entity-failed.v1"),
    ],
)
async def test_each_kind_of_event_has_its_method(
    method: str, kind: str, memory: InMemoryTransport, log: LlamaLogger
) -> None:
    await getattr(log, method)(entity_type="ALBUM", entity_id=ALBUM, operation="what:was:done")
    assert only(memory).__struct_config__.tag == kind


async def test_a_failure_may_have_no_entity_and_is_failed_by_default(
    memory: InMemoryTransport, log: LlamaLogger
) -> None:
    await log.failed("ARTIST", operation="artist:created:album")
    await log.failed("ARTIST", operation="artist:created:album", status="NO_DATA_AVAILABLE")
    first, second = memory.events
    assert isinstance(first, EntityFailed)
    assert isinstance(second, EntityFailed)
    assert first.data.entity_id is None
    assert [first.data.status, second.data.status] == [Status.FAILED, Status.NO_DATA_AVAILABLE]


async def test_ids_are_of_version_7_and_sort_by_when_they_were_made(
    memory: InMemoryTransport, log: LlamaLogger
) -> None:
    began = datetime.now(UTC)
    for _ in range(50):
        await log.cached("ALBUM", ALBUM, operation="cache:album-cover-art")
    ids = [UUID(event.id) for event in memory.events]
    assert {(event_id.version, event_id.variant) for event_id in ids} == {(7, "specified in RFC 4122")}
    assert len(set(ids)) == 50
    assert ids == sorted(ids)
    made = datetime.fromtimestamp((ids[0].int >> 80) / 1000, UTC)
    assert abs(made - began) < timedelta(seconds=5)


async def test_the_caller_may_name_id_and_time(memory: InMemoryTransport, log: LlamaLogger) -> None:
    event_id, time = uuid4(), datetime(2026, 2, 10, 10, 30, tzinfo=UTC)
    await log.enriched("ALBUM", ALBUM, operation="enrichment:album", event_id=event_id, time=time)
    assert (only(memory).id, only(memory).time) == (str(event_id), time)


@pytest.mark.parametrize("existing", [None, False])
async def test_what_was_not_there_was_created(
    existing: bool | None, memory: InMemoryTransport, log: LlamaLogger
) -> None:
    await log.created_or_linked("ARTIST", ARTIST, existing=existing, operation="artist:created:album")
    assert isinstance(only(memory), EntityCreated)
    assert only(memory).data.operation == "artist:created:album"


@pytest.mark.parametrize(
    ("entity_id", "existing"),
    [(uuid4(), ARTIST), (None, ARTIST), (ARTIST, True)],
    ids=["another id", "no id", "its own id"],
)
async def test_what_was_there_was_linked_and_is_named(
    entity_id: UUID | None, existing: UUID | bool, memory: InMemoryTransport, log: LlamaLogger
) -> None:
    await log.created_or_linked("ARTIST", entity_id, existing=existing, operation="artist:created:album")
    assert isinstance(only(memory), EntityLinked)
    assert only(memory).data.entity_id == ARTIST
    assert only(memory).data.operation == "artist:linked:album"


async def test_an_invalid_event_is_counted_and_reported_and_does_not_raise(memory: InMemoryTransport) -> None:
    losses: list[Loss] = []
    log = LlamaLogger(memory, source="/catalogue/albums", on_loss=losses.append)
    await log.created("ALBUM", "no uuid", operation="album:created")
    await log.created("ALBUM", ALBUM, operation="x" * 101)
    await log.created("ALBUM", ALBUM, operation="album:created", metadata={"odd": object()})
    await log.created(
        "ALBUM", ALBUM, operation="album:created", job_id="a", parent_job_id="a", root_job_id="r"
    )
    await log.created_or_linked("ARTIST", existing=None, operation="artist:created")
    await log.created("ALBUM", ALBUM, operation="album:created")
    assert [loss.reason for loss in losses] == [LossReason.REFUSED] * 5
    for loss, complaint in zip(
        losses, ["entityId", "operation", "no JSON", "no job starts itself", "entity_id"], strict=True
    ):
        assert complaint in str(loss.error)
    assert (log.stats.refused, log.stats.delivered, log.stats.published) == (5, 1, 6)
    assert not log.stats.everything_delivered


async def test_a_strict_logger_raises_for_an_invalid_event(memory: InMemoryTransport) -> None:
    log = LlamaLogger(memory, source="/catalogue/albums", strict=True)
    with pytest.raises(InvalidMessageError, match="entityId"):
        await log.created("ALBUM", "no uuid", operation="album:created")


async def test_a_callback_that_fails_does_not_reach_the_caller(
    memory: InMemoryTransport, caplog: pytest.LogCaptureFixture
) -> None:
    log = LlamaLogger(memory, source="/catalogue/albums", on_loss=lambda loss: 1 / 0)
    await log.created("ALBUM", "no uuid", operation="album:created")
    assert "the callback for lost events failed" in caplog.text


async def test_an_event_after_closing_is_reported_as_lost(
    memory: InMemoryTransport, log: LlamaLogger
) -> None:
    await log.created("ALBUM", ALBUM, operation="album:created")
    assert (await log.close(1)).everything_delivered
    await log.created("ALBUM", ALBUM, operation="album:created")
    assert log.stats.closed == 1
    assert len(memory.events) == 1


async def test_a_console_shows_a_line_an_event() -> None:
    stream = StringIO()
    log = LlamaLogger(ConsoleTransport(stream), source="/catalogue/albums")
    await log.created("ALBUM", ALBUM, operation="album:created", metadata={"title": "Björk"})
    assert stream.getvalue().count("\n") == 1
    assert "Björk" in stream.getvalue()
    stream.close()
    await log.created("ALBUM", ALBUM, operation="album:created")
    assert (log.stats.delivered, log.stats.not_delivered) == (1, 1)
