"""The kit under FastStream's `TestKafkaBroker`, as the tests of a service use it."""

import logging
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from functools import partial
from typing import Annotated, Any
from uuid import UUID, uuid4

import pytest
from faststream import BaseMiddleware, Context, Depends
from faststream.kafka import KafkaBroker, TestKafkaBroker

from harness.provenance_messages import message_of, row
from llamalog_schemas import decode_event, encode
from llamalog_schemas.consumer import Change, ProvenanceUpdate, Removed
from llamalog_schemas.consumer.subscriber import provenance_subscriber
from llamalog_schemas.producer import (
    FastStreamTransport,
    InMemoryTransport,
    Job,
    LlamaLogger,
    Loss,
    LossReason,
    current_job,
)
from llamalog_schemas.producer.middleware import JobMiddleware, job_middleware

EVENTS = "llamalog.entity-events"
PROVENANCE = "llamalog.provenance"


async def publish(log: LlamaLogger) -> None:
    await log.created("ALBUM", uuid4(), operation="album:created")


async def test_events_are_delivered_to_the_subscribers_of_the_test() -> None:
    broker = KafkaBroker(middlewares=[JobMiddleware])
    received: list[bytes] = []

    @broker.subscriber(EVENTS)
    async def receive(body: bytes) -> None:
        received.append(body)

    async with TestKafkaBroker(broker):
        log = LlamaLogger(FastStreamTransport(broker), source="/x")
        for _ in range(3):
            await publish(log)
        assert (await log.close(5)).everything_delivered
    assert len({decode_event(value).id for value in received}) == 3


async def test_events_are_delivered_without_a_subscriber() -> None:
    async with TestKafkaBroker(KafkaBroker()) as broker:
        log = LlamaLogger(FastStreamTransport(broker), source="/x")
        await publish(log)
        assert (await log.close(5)).everything_delivered


async def test_an_event_whose_subscriber_fails_is_not_delivered() -> None:
    broker = KafkaBroker()

    @broker.subscriber(EVENTS)
    async def receive(body: bytes) -> None:
        raise ValueError("no such album")

    losses: list[Loss] = []
    async with TestKafkaBroker(broker):
        log = LlamaLogger(FastStreamTransport(broker), source="/x", on_loss=losses.append)
        await publish(log)
        assert (await log.close(5)).not_delivered == 1
    assert isinstance(losses[0].error, ValueError)


async def test_a_middleware_that_returns_no_acknowledgement_is_named() -> None:
    """With a real producer its absence means that nothing is known of the event."""

    class Swallowing(BaseMiddleware):
        async def publish_scope(self, call_next: Any, cmd: Any) -> None:
            return None

    losses: list[Loss] = []
    broker = KafkaBroker("127.0.0.1:1", middlewares=[Swallowing])
    log = LlamaLogger(FastStreamTransport(broker), source="/x", on_loss=losses.append)
    await publish(log)
    assert (await log.close(5)).not_delivered == 1
    assert losses[0].reason is LossReason.NOT_DELIVERED
    assert "return `await call_next(cmd)`" in str(losses[0].error)


@pytest.mark.parametrize("batch", [False, True])
async def test_the_job_of_the_sender_is_the_parent_of_the_handlers_jobs(batch: bool) -> None:
    memory = InMemoryTransport()
    log = LlamaLogger(memory, source="/x", strict=True)
    broker = KafkaBroker(middlewares=[JobMiddleware])

    @broker.subscriber("work", batch=batch)  # type: ignore[untyped-decorator]  # of overloads
    async def work(body: Any) -> None:
        with log.job("child"):
            await publish(log)

    async with TestKafkaBroker(broker):
        with log.job("root"):
            await broker.publish(b"album", "work")
    (event,) = memory.events
    assert (event.data.job_id, event.data.parent_job_id, event.data.root_job_id) == ("child", "root", "root")
    assert current_job() is None


JOB = UUID("6b1f0000-0000-4000-8000-00000000000b")


@pytest.mark.parametrize(
    ("name", "job", "refused"),
    [("enrich-7", "enrich-7", 0), (JOB, str(JOB), 0), (None, None, 0), ("", None, 1), ("x" * 101, None, 1)],
)
async def test_a_middleware_enters_the_job_that_is_named(
    name: Any, job: str | None, refused: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A bad id lets the handler work; its events are lost, and reported."""
    memory = InMemoryTransport()
    log = LlamaLogger(memory, source="/x")
    broker = KafkaBroker(middlewares=[job_middleware(lambda record: name)])

    @broker.subscriber("work")
    async def work(body: Any) -> None:
        await publish(log)

    with caplog.at_level(logging.ERROR):
        async with TestKafkaBroker(broker):
            await broker.publish(b"album", "work")
    assert [event.data.job_id for event in memory.events] == ([] if refused else [job])
    assert log.stats.refused == refused
    assert ("job" in caplog.text) == bool(refused)


async def test_a_bad_job_does_not_break_what_its_body_publishes() -> None:
    log = LlamaLogger(InMemoryTransport(), source="/x")
    broker = KafkaBroker(middlewares=[JobMiddleware])
    received: list[Any] = []

    @broker.subscriber("work")
    async def work(body: Any) -> None:
        received.append(current_job())

    async with TestKafkaBroker(broker):
        bad: list[Any] = ["\ud800", "x" * 101, 7, Job("")]
        for job_id in bad:
            with log.job(job_id):
                await broker.publish(b"album", "work")
    assert received == [None] * 4


async def test_a_handler_of_updates_gets_those_of_the_test() -> None:
    broker = KafkaBroker()
    heard: list[tuple[UUID, int | None]] = []

    @provenance_subscriber(broker, group="pages")
    async def handle(change: Change) -> None:
        heard.append((change.row_id, None if isinstance(change, Removed) else change.row.revision))

    known = uuid4()
    async with TestKafkaBroker(broker):
        for revision in (1, 1, 2, 1, None, 3):
            value = None if revision is None else encode(message_of(row(known, revision)))
            await broker.publish(value, PROVENANCE, key=str(known).encode())
    assert heard == [(known, 1), (known, 2), (known, None), (known, 3)]


async def connection() -> AsyncIterator[str]:
    yield "connection"


class Pages:
    """A handler that is an object."""

    def __init__(self) -> None:
        self.heard: list[int] = []

    async def __call__(self, change: Change) -> None:
        assert isinstance(change, ProvenanceUpdate)
        self.heard.append(change.row.revision)


async def test_a_handler_may_be_an_object_a_partial_or_a_plain_function() -> None:
    broker = KafkaBroker()
    pages, heard = Pages(), []

    async def bound(change: Change, *, to: list[int], by: KafkaBroker, factor: int = 10) -> None:
        assert isinstance(change, ProvenanceUpdate)
        assert by is broker
        to.append(change.row.revision * factor)

    def plain(change: Change) -> None:
        assert isinstance(change, ProvenanceUpdate)
        heard.append(change.row.revision)

    provenance_subscriber(broker, group="a")(pages)
    provenance_subscriber(broker, group="b")(partial(bound, to=heard, by=broker))
    provenance_subscriber(broker, group="c")(plain)  # type: ignore[arg-type]
    async with TestKafkaBroker(broker):
        await broker.publish(encode(message_of(row())), PROVENANCE)
    assert (pages.heard, sorted(heard)) == ([1], [1, 10])


async def test_a_store_of_revisions_that_is_empty_is_the_readers_own() -> None:
    broker, heard = KafkaBroker(), []

    class Store(dict[UUID, int]):
        async def highest(self, rows: Collection[UUID]) -> Mapping[UUID, int]:
            return dict.fromkeys(rows, 1)

    @provenance_subscriber(broker, group="pages", revisions=Store())
    async def hear(change: Change) -> None:
        heard.append(change)

    async with TestKafkaBroker(broker):
        await broker.publish(encode(message_of(row())), PROVENANCE)
    assert not heard


@pytest.mark.parametrize("group", ["", None])
def test_a_subscriber_without_a_group_is_refused(group: Any) -> None:
    with pytest.raises(ValueError, match="takes a group"):
        provenance_subscriber(KafkaBroker(), group=group)


CONNECTION, LOGGER = Depends(connection), Context()


async def needs_injection(change: Change, store: Any = CONNECTION) -> None: ...
async def needs_annotated(change: Change, store: Annotated[Any, Depends(connection)]) -> None: ...
async def needs_context(change: Change, logger: Any = LOGGER) -> None: ...
async def needs_more(change: Change, store: Any) -> None: ...
async def needs_annotated_default(
    change: Change, store: Annotated[Any, Depends(connection)] = None
) -> None: ...
async def needs_nothing() -> None: ...


def generates(change: Change) -> Iterator[Change]:
    yield change


class GeneratesInTurn:
    async def __call__(self, change: Change) -> AsyncIterator[Change]:
        yield change


@pytest.mark.parametrize(
    "handler",
    [
        needs_injection,
        needs_annotated,
        needs_context,
        needs_more,
        needs_annotated_default,
        needs_nothing,
        generates,
        partial(generates),
        GeneratesInTurn(),
        "handler",
    ],
)
def test_a_handler_that_no_call_can_satisfy_is_refused_where_it_is_decorated(handler: Any) -> None:
    broker = KafkaBroker()
    with pytest.raises(TypeError, match=r"functools\.partial"):
        provenance_subscriber(broker, group="pages")(handler)
    assert not [subscriber for subscriber in broker.subscribers if subscriber.calls]
