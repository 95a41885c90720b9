"""The consumer kit on Apache Kafka: where it begins, what it commits, what comes again."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from faststream.kafka import KafkaBroker

from harness.provenance_messages import publish_rows, row, take
from harness.settled import wait_until_committed
from harness.topics import grow_topic, lag, producing
from harness.waiting import TIMEOUT, eventually
from llamalog_schemas.consumer import (
    AtTime,
    Beginning,
    Change,
    Committed,
    KafkaUnavailableError,
    NoGroupError,
    Position,
    ProvenanceConsumer,
    ProvenanceUpdate,
    Removed,
    Start,
    Stored,
)
from llamalog_schemas.consumer.subscriber import provenance_subscriber
from llamalog_service.settings import Settings

pytestmark = pytest.mark.apache_kafka

ROWS = [uuid4() for _ in range(30)]


@pytest.fixture
async def producer(settings: Settings) -> AsyncIterator[AIOKafkaProducer]:
    async with producing(settings.kafka) as producer:
        yield producer


@pytest.fixture
def consumer(settings: Settings, topic: str) -> Any:
    def make(group: str | None = "readers", start: Start | None = None) -> ProvenanceConsumer:
        named = None if group is None else f"{settings.topic_prefix}{group}"
        return ProvenanceConsumer(
            settings.kafka, group=named, topic=topic, start=start, fetch_max_wait_ms=50, max_records=7
        )

    return make


@pytest.mark.parametrize("group", ["readers", None])
async def test_partitions_that_a_topic_gets_are_read_within_half_a_minute(
    group: str | None, settings: Settings, topic: str, producer: AIOKafkaProducer, consumer: Any
) -> None:
    """Nothing is read again."""
    partitions = len(await producer.partitions_for(topic))
    await publish_rows(producer, topic, [row(row_id) for row_id in ROWS[:9]])
    async with consumer(group) as reading:
        assert ids(await take(reading, 9)) == set(ROWS[:9])
        admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
        await admin.start()
        await grow_topic(admin, topic, partitions + 1)
        await admin.close()
        async with producing(settings.kafka) as another:
            await publish_rows(another, topic, [row(row_id) for row_id in ROWS[9:12]], partitions)
            await publish_rows(another, topic, [row(row_id) for row_id in ROWS[12:15]], 0)
            began = asyncio.get_running_loop().time()
            assert ids(await take(reading, 6)) == set(ROWS[9:15])
            assert asyncio.get_running_loop().time() - began < TIMEOUT


async def nothing_more(consumer: ProvenanceConsumer, producer: AIOKafkaProducer, topic: str) -> None:
    """The next updates are those published from now on, one to each partition."""
    marks = [uuid4() for _ in await producer.partitions_for(topic)]
    for partition, mark in enumerate(marks):
        await publish_rows(producer, topic, [row(mark)], partition)
    assert ids(await take(consumer, len(marks))) == set(marks)


def ids(updates: Collection[ProvenanceUpdate]) -> set[UUID]:
    return {each.row.id for each in updates}


async def test_duplicates_are_not_returned_and_corrections_are(
    topic: str, producer: AIOKafkaProducer, consumer: Any
) -> None:
    await publish_rows(producer, topic, [row(row_id) for row_id in ROWS])
    await publish_rows(producer, topic, [row(row_id) for row_id in ROWS])
    await publish_rows(producer, topic, [row(row_id, 2, root_job_id="other") for row_id in ROWS[:5]])
    async with consumer() as reading:
        updates = await take(reading, 35)
        await nothing_more(reading, producer, topic)
    corrections = [each for each in updates if each.is_correction]
    assert ids(updates) == set(ROWS)
    assert ids(corrections) == set(ROWS[:5])
    assert {each.corrects for each in corrections} == {1}


async def test_a_group_goes_on_after_what_was_committed(
    topic: str, producer: AIOKafkaProducer, consumer: Any, settings: Settings
) -> None:
    await publish_rows(producer, topic, [row(row_id) for row_id in ROWS])
    async with consumer() as reading:
        first = await take(reading, 10)
        assert await reading.commit()
        await take(reading, 5)
    async with consumer() as reading:
        rest = await take(reading, 20)
        await nothing_more(reading, producer, topic)
        assert await reading.commit()
    assert ids(first) | ids(rest) == set(ROWS)
    assert not ids(first) & ids(rest)
    assert await lag(settings.kafka, f"{settings.topic_prefix}readers", topic) == 0


async def test_records_after_the_last_update_are_committed_with_it(
    topic: str, producer: AIOKafkaProducer, consumer: Any, settings: Settings
) -> None:
    await publish_rows(producer, topic, [row(ROWS[0])] * 3)
    async with consumer() as reading:
        await take(reading, 1)
        assert await reading.commit()
    assert await lag(settings.kafka, f"{settings.topic_prefix}readers", topic) == 0


async def test_a_replay_begins_at_the_beginning_despite_committed_offsets(
    topic: str, producer: AIOKafkaProducer, consumer: Any
) -> None:
    await publish_rows(producer, topic, [row(row_id) for row_id in ROWS])
    async with consumer() as reading:
        await take(reading, 30)
        assert await reading.commit()
    async with consumer(start=Beginning()) as reading:
        assert ids(await take(reading, 30)) == set(ROWS)
    async with consumer(group=None) as reading:
        assert ids(await take(reading, 30)) == set(ROWS)
        with pytest.raises(NoGroupError):
            await reading.commit()


async def test_one_may_begin_at_a_time(topic: str, producer: AIOKafkaProducer, consumer: Any) -> None:
    await publish_rows(producer, topic, [row(row_id) for row_id in ROWS[:20]])
    await asyncio.sleep(0.05)
    moment = datetime.now(UTC)
    await asyncio.sleep(0.05)
    await publish_rows(producer, topic, [row(row_id) for row_id in ROWS[20:]])
    async with consumer(start=AtTime(moment)) as reading:
        assert ids(await take(reading, 10)) == set(ROWS[20:])
        await nothing_more(reading, producer, topic)


async def test_a_new_group_may_begin_at_a_time_and_goes_on_where_it_is(
    topic: str, producer: AIOKafkaProducer, consumer: Any
) -> None:
    await publish_rows(producer, topic, [row(row_id) for row_id in ROWS[:10]])
    await asyncio.sleep(0.05)
    start = Committed(otherwise=AtTime(datetime.now(UTC)))
    await asyncio.sleep(0.05)
    await publish_rows(producer, topic, [row(row_id) for row_id in ROWS[10:]])
    async with consumer(start=start) as reading:
        assert ids(await take(reading, 20)) == set(ROWS[10:])
        assert await reading.commit()
    late = uuid4()
    await publish_rows(producer, topic, [row(late)])
    async with consumer(start=start) as reading:
        assert ids(await take(reading, 1)) == {late}
        await nothing_more(reading, producer, topic)


@pytest.mark.parametrize("first_of_group", [True, False])
async def test_what_begins_at_a_time_never_goes_back_before_it(
    first_of_group: bool, topic: str, producer: AIOKafkaProducer, consumer: Any
) -> None:
    """Another member comes and goes before anything is committed, so that partitions are assigned anew."""
    await publish_rows(producer, topic, [row(row_id) for row_id in ROWS[:20]])
    await asyncio.sleep(0.05)
    moment = AtTime(datetime.now(UTC))
    start = moment if first_of_group else Committed(otherwise=moment)
    await asyncio.sleep(0.05)
    await publish_rows(producer, topic, [row(row_id) for row_id in ROWS[20:]])
    async with consumer(start=start) as reading:
        heard = ids(await take(reading, 3))
        async with consumer(start=start) as other:
            heard |= ids(await take(other, 1))
        late = [uuid4() for _ in range(12)]
        await publish_rows(producer, topic, [row(row_id) for row_id in late])
        wanted = {*ROWS[20:], *late}
        async with asyncio.timeout(TIMEOUT):
            while not wanted <= heard:
                heard.add((await anext(reading)).row_id)
    assert heard == wanted


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no zone"):
        AtTime(datetime(2026, 2, 10))


@pytest.mark.parametrize("group", ["readers", None])
async def test_reading_starts_at_the_positions_of_the_readers_own_store(
    group: str | None, topic: str, producer: AIOKafkaProducer, consumer: Any
) -> None:
    kept: dict[int, int] = {}

    async def positions(partitions: Collection[int]) -> Mapping[int, int]:
        return {partition: kept[partition] for partition in partitions if partition in kept}

    await publish_rows(producer, topic, [row(row_id) for row_id in ROWS])
    async with consumer(group=group, start=Stored(positions)) as reading:
        first = await take(reading, 12)
        kept.update(Position(*each.next) for each in first)
    async with consumer(group=group, start=Stored(positions)) as reading:
        rest = await take(reading, 18)
        await nothing_more(reading, producer, topic)
    assert ids(first) | ids(rest) == set(ROWS)


async def test_nothing_is_read_until_the_readers_own_store_has_returned_positions(
    topic: str, producer: AIOKafkaProducer, consumer: Any
) -> None:
    await publish_rows(producer, topic, [row(row_id) for row_id in ROWS], partition=0)
    calls = 0

    async def positions(partitions: Collection[int]) -> Mapping[int, int]:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise ConnectionError("the store is away")
        return {0: 20}

    async with consumer(start=Stored(positions)) as reading:
        assert [each.row.id for each in await take(reading, 10)] == ROWS[20:]
        await nothing_more(reading, producer, topic)
    assert calls == 3
    calls = 0
    with pytest.raises(ConnectionError, match="the store is away"):
        await consumer(group=None, start=Stored(positions)).start()


async def test_updates_fetched_before_a_rebalance_are_not_returned_ahead_of_forgotten_ones(
    topic: str, producer: AIOKafkaProducer, settings: Settings
) -> None:
    await publish_rows(producer, topic, [row(row_id) for row_id in ROWS], partition=0)
    group = f"{settings.topic_prefix}slow"

    class RebalancedMeanwhile:
        """A store during whose third answer the group is rebalanced."""

        answers = 0

        async def highest(self, rows: Collection[UUID]) -> Mapping[UUID, int]:
            self.answers += 1
            if self.answers == 3:
                async with ProvenanceConsumer(settings.kafka, group=group, topic=topic) as other:
                    with pytest.raises(TimeoutError):
                        await asyncio.wait_for(anext(other), 0.1)
                    await eventually_rebalanced()
            return {}

    revoked = asyncio.Event()

    async def eventually_rebalanced() -> None:
        await asyncio.wait_for(revoked.wait(), TIMEOUT)

    reading = ProvenanceConsumer(
        settings.kafka, group=group, topic=topic, revisions=RebalancedMeanwhile(), max_records=5
    )
    forget = reading._assignments._forget

    def forget_and_note(partitions: Collection[Any]) -> None:
        forget(partitions)
        if partitions:
            revoked.set()

    reading._assignments._forget = forget_and_note
    async with reading:
        first = await take(reading, 10)
        rest = await take(reading, 30)
    assert [each.row.id for each in first] == ROWS[:10]
    assert [each.row.id for each in rest] == ROWS


@pytest.mark.parametrize("fault", [ConnectionError("the store is away"), asyncio.CancelledError()])
async def test_records_are_read_again_where_the_readers_own_store_failed(
    fault: BaseException, topic: str, producer: AIOKafkaProducer, settings: Settings
) -> None:
    await publish_rows(producer, topic, [row(row_id) for row_id in ROWS])
    faults = [fault]

    class Store:
        async def highest(self, rows: Collection[UUID]) -> Mapping[UUID, int]:
            if faults:
                raise faults.pop()
            return {}

    group = f"{settings.topic_prefix}readers"
    reading = ProvenanceConsumer(settings.kafka, group=group, topic=topic, revisions=Store(), max_records=7)
    async with reading:
        with pytest.raises(type(fault)):
            await anext(reading)
        assert ids(await take(reading, 30)) == set(ROWS)
        assert await reading.commit()
    assert await lag(settings.kafka, group, topic) == 0


async def test_a_row_that_was_removed_is_returned_as_removed_and_as_new_when_it_comes_back(
    topic: str, producer: AIOKafkaProducer, consumer: Any, settings: Settings
) -> None:
    row_id = ROWS[0]
    await publish_rows(producer, topic, [row(row_id, 2)], partition=0)
    await producer.send_and_wait(topic, None, str(row_id).encode(), partition=0)
    await publish_rows(producer, topic, [row(row_id, 3)], partition=0)
    async with consumer() as reading, asyncio.timeout(30):
        changes = [await anext(reading) for _ in range(3)]
        assert await reading.commit()
    first, removed, again = changes
    assert isinstance(first, ProvenanceUpdate)
    assert removed == Removed(row_id, 2, Position(0, 2))
    assert isinstance(again, ProvenanceUpdate)
    assert (again.row.revision, again.corrects, again.next) == (3, None, Position(0, 3))
    assert await lag(settings.kafka, f"{settings.topic_prefix}readers", topic) == 0


async def test_what_one_member_leaves_undone_another_one_gets(
    topic: str, producer: AIOKafkaProducer, consumer: Any
) -> None:
    await publish_rows(producer, topic, [row(row_id) for row_id in ROWS])
    async with consumer() as first:
        done = await take(first, 3)
        assert await first.commit()
        async with consumer() as second:
            heard: list[ProvenanceUpdate] = []

            async def listen(member: ProvenanceConsumer) -> None:
                async for change in member:
                    assert isinstance(change, ProvenanceUpdate)
                    heard.append(change)

            async def all_is_heard() -> bool:
                return ids(done) | ids(heard) == set(ROWS)

            listening = [asyncio.create_task(listen(member)) for member in (first, second)]
            await eventually(all_is_heard)
            await first.stop()
            await second.stop()
            await asyncio.wait_for(asyncio.gather(*listening), TIMEOUT)


async def test_starting_without_kafka_raises() -> None:
    with pytest.raises(KafkaUnavailableError, match=r"127\.0\.0\.1:1"):
        await ProvenanceConsumer("127.0.0.1:1", group="g").start()


async def test_a_handler_of_faststream_gets_each_update_once_and_again_if_it_fails(
    topic: str, producer: AIOKafkaProducer, settings: Settings
) -> None:
    broker = KafkaBroker(settings.kafka)
    group = f"{settings.topic_prefix}handlers"
    heard: list[ProvenanceUpdate] = []
    failures = 2

    @provenance_subscriber(broker, group=group, topic=topic)
    async def handle(change: Change) -> None:
        nonlocal failures
        if change.row_id == ROWS[4] and failures:
            failures -= 1
            raise RuntimeError("the database is away")
        assert isinstance(change, ProvenanceUpdate)
        heard.append(change)

    await publish_rows(producer, topic, [row(row_id) for row_id in ROWS], partition=0)
    await publish_rows(producer, topic, [row(row_id) for row_id in ROWS], partition=0)
    await publish_rows(producer, topic, [row(ROWS[0], 2)], partition=0)
    await producer.send_and_wait(topic, b"no record", b"x", partition=0, headers=[("h", b"\xff")])

    async with broker:
        await broker.start()
        await wait_until_committed(settings, group, topic)
    assert [each.row.id for each in heard] == [*ROWS, ROWS[0]]
    assert heard[-1].is_correction
