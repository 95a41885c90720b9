"""An event is published if and only if its change is committed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from uuid import UUID, uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from sqlalchemy import Column, MetaData, Table, Uuid, create_engine, func, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from harness.topics import read_all
from harness.waiting import eventually
from llamalog_schemas import EntityCreated, EntityEvent, InvalidMessageError, decode_event
from llamalog_schemas.producer import (
    AiokafkaTransport,
    ForkedProcessError,
    InMemoryTransport,
    LlamaLogger,
    Loss,
    NoAcknowledgementError,
    OutgoingMessage,
)
from llamalog_schemas.producer.outbox import Outbox, OutboxRelay
from llamalog_service.kafka.topics import topics
from llamalog_service.settings import Settings

METADATA = MetaData()
ALBUMS = Table("kit_albums", METADATA, Column("id", Uuid, primary_key=True))
OUTBOX = Outbox(METADATA)
LOG = LlamaLogger(InMemoryTransport(), source="/catalogue/albums")


class Away(Exception):
    """Kafka may be back later."""


class FlakyKafka:
    """Accepts messages; raises the `errors` first."""

    def __init__(self, *errors: Exception | None) -> None:
        self.errors = list(errors)
        self.taken: list[EntityEvent] = []

    async def send(self, message: OutgoingMessage) -> Awaitable[object]:
        answer: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        error = self.errors.pop(0) if self.errors else None
        if error is None:
            event = decode_event(message.value)
            assert isinstance(event, EntityEvent)
            self.taken.append(event)
            answer.set_result(None)
        else:
            answer.set_exception(error)
        return answer

    def is_retriable(self, error: Exception) -> bool:
        return isinstance(error, Away)


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(database_url.replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.begin() as connection:
        await connection.run_sync(METADATA.create_all)
    yield engine
    await engine.dispose()


def created(album: UUID) -> EntityCreated:
    return LOG.events.created("ALBUM", album, operation="album:created")


async def add_album(engine: AsyncEngine, album: UUID) -> None:
    async with engine.begin() as connection:
        await connection.execute(insert(ALBUMS).values(id=album))
        await connection.execute(OUTBOX.insert(created(album)))


async def waiting(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        return (await connection.execute(select(func.count()).select_from(OUTBOX.table))).scalar_one()


async def test_committed_events_are_published_and_rolled_back_ones_are_not(engine: AsyncEngine) -> None:
    kept, lost = uuid4(), uuid4()
    await add_album(engine, kept)
    async with engine.connect() as connection:
        await connection.execute(insert(ALBUMS).values(id=lost))
        await connection.execute(OUTBOX.insert(created(lost)))
        await connection.rollback()
    kafka = FlakyKafka()
    relay = OutboxRelay(engine, OUTBOX, kafka)
    assert await relay.relay() == 1
    assert await relay.relay() == 0
    assert [event.data.entity_id for event in kafka.taken] == [kept]


async def test_the_job_is_the_current_one_at_the_insert(engine: AsyncEngine) -> None:
    with LOG.job("album-create-1"), LOG.job("enrich-7"):
        await add_album(engine, uuid4())
    kafka = FlakyKafka()
    await OutboxRelay(engine, OUTBOX, kafka).relay()
    data = kafka.taken[0].data
    assert (data.job_id, data.parent_job_id, data.root_job_id) == (
        "enrich-7",
        "album-create-1",
        "album-create-1",
    )


async def test_an_invalid_event_leaves_the_transaction_as_it_is(engine: AsyncEngine) -> None:
    lost: list[Loss] = []
    outbox = Outbox(MetaData(), on_loss=lost.append)
    album = uuid4()
    async with engine.begin() as connection:
        await connection.execute(insert(ALBUMS).values(id=album))
        await connection.execute(outbox.insert())
        await connection.execute(outbox.insert(LOG.events.created("ALBUM", album, operation="a\0")))
        too_large = LOG.events.created("ALBUM", album, operation="a", metadata={"x": "x" * 300_000})
        await connection.execute(outbox.insert(too_large, created(album)))
    async with engine.connect() as connection:
        assert (await connection.execute(select(ALBUMS.c.id))).scalars().all() == [album]
    assert await waiting(engine) == 1
    assert (outbox.stats.published, outbox.stats.refused, len(lost)) == (3, 2, 2)


async def test_a_strict_outbox_raises_for_an_invalid_event() -> None:
    with pytest.raises(InvalidMessageError, match="operation"):
        Outbox(MetaData(), strict=True).insert(LOG.events.created("ALBUM", uuid4(), operation=""))


async def test_one_statement_takes_more_events_than_it_may_have_parameters_in_their_order(
    engine: AsyncEngine,
) -> None:
    events = [created(UUID(int=number)) for number in range(11_000)]
    async with AsyncSession(engine) as session:
        await session.execute(OUTBOX.insert(*events))
        await session.commit()
    async with engine.connect() as connection:
        columns = OUTBOX.table.c
        rows = (await connection.execute(select(columns.topic, columns.value).order_by(columns.number))).all()
    assert [decode_event(row.value).id for row in rows] == [event.id for event in events]
    assert {row.topic for row in rows} == {"llamalog.entity-events"}


async def test_large_events_are_relayed_a_few_at_once(engine: AsyncEngine) -> None:
    """A batch of five hundred might be larger than memory."""
    count = 40
    events = [
        LOG.events.created("ALBUM", uuid4(), operation="album:created", metadata={"text": "x" * 250_000})
        for _ in range(count)
    ]
    async with engine.begin() as connection:
        await connection.execute(OUTBOX.insert(*events))
    kafka = FlakyKafka()
    relay = OutboxRelay(engine, OUTBOX, kafka)
    relayed = []
    while number := await relay.relay():
        relayed.append(number)
    assert max(relayed) <= 4 * 2**20 // 250_000
    assert [event.id for event in kafka.taken] == [event.id for event in events]


async def test_without_kafka_events_stay_in_the_outbox(engine: AsyncEngine) -> None:
    for _ in range(3):
        await add_album(engine, uuid4())
    kafka = FlakyKafka(None, Away(), Away())
    relay = OutboxRelay(engine, OUTBOX, kafka)
    assert await relay.relay() is None
    assert await waiting(engine) == 2
    assert await relay.relay() == 2
    assert len(kafka.taken) == 3


async def test_what_kafka_will_never_take_stays_with_the_reason_and_holds_up_no_other(
    engine: AsyncEngine,
) -> None:
    for _ in range(2):
        await add_album(engine, uuid4())
    kafka = FlakyKafka(ValueError("too large"))
    relay = OutboxRelay(engine, OUTBOX, kafka)
    assert await relay.relay() == 2
    assert await relay.relay() == 0
    assert len(kafka.taken) == 1
    async with engine.connect() as connection:
        (row,) = await connection.execute(select(OUTBOX.table))
    assert row.refused == "ValueError('too large')"


async def test_a_transport_that_fails_to_judge_an_error_holds_up_no_other_event(engine: AsyncEngine) -> None:
    for _ in range(2):
        await add_album(engine, uuid4())

    class UnjudgingKafka(FlakyKafka):
        def is_retriable(self, error: Exception) -> bool:
            raise AttributeError("retriable")

    kafka = UnjudgingKafka(ValueError("too large"))
    assert await OutboxRelay(engine, OUTBOX, kafka).relay() == 2
    assert await waiting(engine) == 1
    assert len(kafka.taken) == 1


async def test_a_reason_that_no_column_can_hold_is_kept_without_its_odd_characters(
    engine: AsyncEngine,
) -> None:
    class OddError(Exception):
        def __repr__(self) -> str:
            return "odd\0\ud800" + "x" * 100_000

    await add_album(engine, uuid4())
    assert await OutboxRelay(engine, OUTBOX, FlakyKafka(OddError())).relay() == 1
    async with engine.connect() as connection:
        (row,) = await connection.execute(select(OUTBOX.table))
    assert row.refused.startswith("odd?x")


async def test_a_client_that_cancels_or_never_answers_does_not_end_the_relay(engine: AsyncEngine) -> None:
    for _ in range(3):
        await add_album(engine, uuid4())

    class BrokenKafka(FlakyKafka):
        async def send(self, message: OutgoingMessage) -> Awaitable[object]:
            broken = self.errors.pop(0) if self.errors else None
            if broken is not None:
                raise asyncio.CancelledError
            answer = await super().send(message)
            return answer if len(self.taken) > 1 else asyncio.get_running_loop().create_future()

    kafka = BrokenKafka(Away())
    relay = OutboxRelay(engine, OUTBOX, kafka, timeout=0.2)
    assert await asyncio.wait_for(relay.relay(), 20) is None
    assert await waiting(engine) == 2
    assert await relay.relay() == 2


@pytest.mark.parametrize("fault", [ForkedProcessError(1), NoAcknowledgementError("return `await …`")])
async def test_a_transport_of_no_use_refuses_no_event(engine: AsyncEngine, fault: Exception) -> None:
    await add_album(engine, uuid4())
    with pytest.raises(type(fault)):
        await OutboxRelay(engine, OUTBOX, FlakyKafka(fault)).relay()
    assert await OutboxRelay(engine, OUTBOX, FlakyKafka()).relay() == 1


async def test_a_relay_that_waits_for_kafka_can_be_cancelled(engine: AsyncEngine) -> None:
    await add_album(engine, uuid4())
    requested = asyncio.Event()

    class SilentKafka(FlakyKafka):
        async def send(self, message: OutgoingMessage) -> Awaitable[object]:
            requested.set()
            return asyncio.get_running_loop().create_future()

    running = asyncio.create_task(OutboxRelay(engine, OUTBOX, SilentKafka()).run())
    await asyncio.wait_for(requested.wait(), 20)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await waiting(engine) == 1


async def test_two_relays_publish_each_event_once(engine: AsyncEngine) -> None:
    for _ in range(40):
        await add_album(engine, uuid4())
    kafka = FlakyKafka()
    relays = [OutboxRelay(engine, OUTBOX, kafka, batch=7) for _ in range(2)]
    while await waiting(engine):
        await asyncio.gather(*[relay.relay() for relay in relays])
    assert len({event.id for event in kafka.taken}) == len(kafka.taken) == 40


async def test_a_relay_that_dies_before_deleting_acknowledged_events_publishes_them_again(
    engine: AsyncEngine, pool: asyncpg.Pool
) -> None:
    """The same bytes, so that the log takes them for the duplicate that they are."""
    album = uuid4()
    await add_album(engine, album)

    class LosingItsDatabase(FlakyKafka):
        async def send(self, message: OutgoingMessage) -> Awaitable[object]:
            acknowledged = await super().send(message)
            if len(self.taken) == 1:
                await pool.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND state = 'idle in transaction' "
                    "AND query LIKE '%outbox.number IN%'"  # not the connection that looks whether it is empty
                )
            return acknowledged

    kafka = LosingItsDatabase()
    running = asyncio.create_task(OutboxRelay(engine, OUTBOX, kafka, poll_seconds=0.05).run())

    async def is_empty() -> bool:
        return await waiting(engine) == 0

    await eventually(is_empty)
    running.cancel()
    await asyncio.wait([running])
    first, second = kafka.taken
    assert first == second
    assert first.data.entity_id == album


async def test_a_relay_runs_until_it_is_cancelled(engine: AsyncEngine, settings: Settings) -> None:
    topic = topics(settings.topic_prefix).entity_events.name
    outbox = Outbox(MetaData(), topic=topic)
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka, acks="all") as producer:
        relay = OutboxRelay(engine, outbox, AiokafkaTransport(producer), poll_seconds=0.05)
        running = asyncio.create_task(relay.run())
        album = uuid4()
        async with engine.begin() as connection:
            await connection.execute(outbox.insert(created(album)))

        async def is_empty() -> bool:
            return await waiting(engine) == 0

        await eventually(is_empty)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    (record,) = await read_all(settings.kafka, topic)
    event = decode_event(record.value)
    assert isinstance(event, EntityCreated)
    assert event.data.entity_id == album


def test_a_synchronous_session_inserts_events_too() -> None:
    engine = create_engine("sqlite://")
    METADATA.create_all(engine)
    with Session(engine) as session:
        session.execute(OUTBOX.insert(created(uuid4()), created(uuid4())))
        session.commit()
        rows = session.execute(select(OUTBOX.table)).all()
    assert len(rows) == 2
    engine.dispose()
