"""The consumer kit beside producers with transactions: aborted records are no updates, and markers no lag."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from uuid import UUID, uuid4

import pytest
from aiokafka import AIOKafkaProducer
from faststream.kafka import KafkaBroker

from harness.provenance_messages import publish_rows, row
from harness.settled import wait_until_committed
from harness.topics import lag
from harness.waiting import eventually
from llamalog_schemas.consumer import Beginning, Change, ProvenanceConsumer, Start
from llamalog_schemas.consumer.subscriber import provenance_subscriber
from llamalog_service.settings import Settings

pytestmark = pytest.mark.apache_kafka

ROWS = [uuid4() for _ in range(12)]


@pytest.fixture
def group(settings: Settings) -> str:
    return f"{settings.topic_prefix}pages"


@asynccontextmanager
async def transactional(settings: Settings, name: str) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka, transactional_id=f"{settings.topic_prefix}{name}"
    )
    async with producer:
        yield producer


async def send(producer: AIOKafkaProducer, topic: str, rows: Sequence[UUID], partition: int = 0) -> None:
    await publish_rows(producer, topic, [row(row_id) for row_id in rows], partition)


def reading(
    settings: Settings, topic: str, group: str | None, start: Start | None = None
) -> ProvenanceConsumer:
    return ProvenanceConsumer(
        settings.kafka, group=group, topic=topic, start=start, fetch_max_wait_ms=50, max_records=2
    )


async def follow(consumer: ProvenanceConsumer, into: list[UUID], *, commit_every: int = 1) -> None:
    """Read until stopped, committing after so many updates; 0: never."""
    async for change in consumer:
        into.append(change.row_id)
        if commit_every and len(into) % commit_every == 0:
            await consumer.commit()


@asynccontextmanager
async def following(
    consumer: ProvenanceConsumer, into: list[UUID], *, commit_every: int = 1
) -> AsyncIterator[None]:
    async with consumer:
        task = asyncio.create_task(follow(consumer, into, commit_every=commit_every))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def test_committed_aborted_and_interleaved_transactions(
    settings: Settings, topic: str, group: str
) -> None:
    """Three producers on one partition, whose records lie between each other's."""
    kept, aborted, plain = ROWS[:4], ROWS[4:8], ROWS[8:]
    heard: list[UUID] = []
    async with (
        transactional(settings, "a") as first,
        transactional(settings, "b") as second,
        AIOKafkaProducer(bootstrap_servers=settings.kafka) as third,
        following(reading(settings, topic, group), heard),
    ):
        await first.begin_transaction()
        await second.begin_transaction()
        for turn in range(4):
            await send(first, topic, [kept[turn]])
            await send(second, topic, [aborted[turn]])
            await send(third, topic, [plain[turn]])
        await second.abort_transaction()
        await first.commit_transaction()

        async def all_is_heard() -> bool:
            return {*kept, *plain} <= set(heard)

        await eventually(all_is_heard)
        await wait_until_committed(settings, group, topic)
    assert sorted(heard) == sorted([*kept, *plain])


async def test_the_lag_returns_to_0_after_each_end_of_a_transaction(
    settings: Settings, topic: str, group: str
) -> None:
    """Of a committed one, of an aborted one without another record behind it, and of an empty one."""
    heard: list[UUID] = []
    async with (
        transactional(settings, "a") as producer,
        following(reading(settings, topic, group), heard),
    ):
        async with producer.transaction():
            await send(producer, topic, ROWS[:3])
        await wait_until_committed(settings, group, topic)
        await producer.begin_transaction()
        await send(producer, topic, ROWS[3:6])
        await producer.abort_transaction()
        await wait_until_committed(settings, group, topic)
        async with producer.transaction():
            await send(producer, topic, ROWS[:3])  # duplicates
        await wait_until_committed(settings, group, topic)
        async with producer.transaction():
            await send(producer, topic, ROWS[6:9], partition=1)
        await wait_until_committed(settings, group, topic)
    assert heard == ROWS[:3] + ROWS[6:9]


async def test_a_topic_of_aborted_records_alone_has_no_lag(
    settings: Settings, topic: str, group: str
) -> None:
    async with transactional(settings, "a") as producer:
        await producer.begin_transaction()
        await send(producer, topic, ROWS)
        await producer.abort_transaction()
    heard: list[UUID] = []
    async with following(reading(settings, topic, group), heard):
        await wait_until_committed(settings, group, topic)
    assert heard == []


async def test_updates_that_are_not_committed_are_not_passed(
    settings: Settings, topic: str, group: str
) -> None:
    """An aborted transaction behind an update in hand must not commit the update."""
    heard: list[UUID] = []
    again: list[UUID] = []
    async with transactional(settings, "a") as producer:
        async with producer.transaction():
            await send(producer, topic, ROWS[:2])
        async with following(reading(settings, topic, group), heard, commit_every=0):

            async def both_are_heard() -> bool:
                return len(heard) == 2

            await eventually(both_are_heard)
            await producer.begin_transaction()
            await send(producer, topic, ROWS[2:4])
            await producer.abort_transaction()
            await asyncio.sleep(3)  # so long that it would be committed if it were
        async with following(reading(settings, topic, group), again):
            await wait_until_committed(settings, group, topic)
    assert heard == again == ROWS[:2]


async def test_an_open_transaction_is_waited_for(settings: Settings, topic: str, group: str) -> None:
    """Records behind it come when it has ended, in their order."""
    heard: list[UUID] = []
    async with (
        transactional(settings, "a") as producer,
        AIOKafkaProducer(bootstrap_servers=settings.kafka) as plain,
        following(reading(settings, topic, group), heard),
    ):
        await send(plain, topic, ROWS[:1])
        await producer.begin_transaction()
        await send(producer, topic, ROWS[1:2])
        await send(plain, topic, ROWS[2:3])

        async def the_first_is_heard() -> bool:
            return heard == ROWS[:1]

        await eventually(the_first_is_heard)
        await asyncio.sleep(2)
        assert heard == ROWS[:1]
        await producer.commit_transaction()
        await wait_until_committed(settings, group, topic)
    assert heard == ROWS[:3]


async def test_a_reader_without_a_group_stores_positions_behind_the_markers(
    settings: Settings, topic: str
) -> None:
    async with transactional(settings, "a") as producer, producer.transaction():
        await send(producer, topic, ROWS[:3])
    async with reading(settings, topic, None, Beginning()) as consumer:
        async with asyncio.timeout(30):
            changes = [await anext(consumer) for _ in range(3)]
    assert [change.next.offset for change in changes] == [1, 2, 4]


async def test_a_replay_does_not_take_the_group_back(settings: Settings, topic: str, group: str) -> None:
    """Its first positions lie before what the group has committed."""
    heard: list[UUID] = []
    async with transactional(settings, "a") as producer:
        async with producer.transaction():
            await send(producer, topic, ROWS[:3])
        await producer.begin_transaction()
        await send(producer, topic, ROWS[3:6])
        await producer.abort_transaction()
    async with following(reading(settings, topic, group), heard):
        await wait_until_committed(settings, group, topic)
    again: list[UUID] = []
    async with following(reading(settings, topic, group, Beginning()), again, commit_every=0):

        async def all_is_heard() -> bool:
            return again == heard

        await eventually(all_is_heard)
        assert await lag(settings.kafka, group, topic) == 0


async def test_a_handler_of_faststream_gets_committed_records_alone(
    settings: Settings, topic: str, group: str
) -> None:
    broker = KafkaBroker(settings.kafka)
    heard: list[UUID] = []

    @provenance_subscriber(broker, group=group, topic=topic)
    async def handle(change: Change) -> None:
        heard.append(change.row_id)

    async with broker, transactional(settings, "a") as producer:
        await broker.start()
        await producer.begin_transaction()
        await send(producer, topic, ROWS[:3])
        await producer.abort_transaction()
        await wait_until_committed(settings, group, topic)
        async with producer.transaction():
            await send(producer, topic, ROWS[3:6])
        await wait_until_committed(settings, group, topic)
    assert heard == ROWS[3:6]
