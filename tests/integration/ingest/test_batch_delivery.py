"""Committed offsets are of recorded and published batches, through any failure."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import RecordsToDelete
from faststream.kafka import KafkaBroker
from structlog.testing import capture_logs

from harness.settled import wait_until_consumed
from harness.topics import producing
from harness.waiting import eventually
from llamalog_service.domain.errors import UnavailableError
from llamalog_service.kafka.clients import open_admin
from llamalog_service.kafka.consumer.delivery import BatchDelivery, subscribe
from llamalog_service.kafka.consumer.pipeline import Records, Steps
from llamalog_service.kafka.consumer.positions import StartOffsets
from llamalog_service.kafka.reader import commit_if_behind
from llamalog_service.kafka.topics import topics
from llamalog_service.settings import Settings
from llamalog_service.telemetry.metrics import Metrics

pytestmark = pytest.mark.apache_kafka

Step = Callable[[Records], Coroutine[Any, Any, None]]


async def nothing(_: Records) -> None:
    pass


async def as_they_are(records: Records) -> Records:
    return records


class CountedLosses(Metrics):
    """Counts the messages that were lost unread."""

    def __init__(self) -> None:
        self.messages = 0

    def lost(self, messages: int) -> None:
        self.messages += messages


@dataclass
class Delivery:
    """A delivery in this process that records what it does."""

    settings: Settings
    on_record: Step = nothing
    on_publish: Step = nothing
    stored_positions: Callable[[], Awaitable[dict[tuple[str, int], int]]] | None = None
    commits_that_hang: int = 0
    failures: list[BaseException] = field(default_factory=list)
    recorded: dict[int, int] = field(default_factory=dict)
    published: set[tuple[int, int]] = field(default_factory=set)
    broken_promises: list[str] = field(default_factory=list)
    losses: CountedLosses = field(default_factory=CountedLosses)

    @property
    def topic(self) -> str:
        return topics(self.settings.topic_prefix).entity_events.name

    @property
    def positions(self) -> dict[tuple[str, int], int]:
        return {(self.topic, partition): offset for partition, offset in self.recorded.items()}

    async def record(self, records: Records) -> Records:
        await self.on_record(records)
        for record in records:
            next_offset = self.recorded.get(record.partition, 0)
            if record.offset > next_offset:
                self.broken_promises.append(f"{record.partition}: {next_offset} was left out")
            self.recorded[record.partition] = max(next_offset, record.offset + 1)
        return records

    async def publish(self, records: Records) -> None:
        await self.on_publish(records)
        self.published |= {(record.partition, record.offset) for record in records}

    def check_commit(self, offsets: dict[TopicPartition, int]) -> None:
        for at, offset in offsets.items():
            unpublished = {(at.partition, earlier) for earlier in range(offset)} - self.published
            if unpublished:
                self.broken_promises.append(f"{sorted(unpublished)} not published, committed up to {offset}")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[AIOKafkaConsumer]:
        broker = KafkaBroker(self.settings.kafka, apply_types=False, graceful_timeout=5.0, logger=None)
        start = StartOffsets(self.stored_positions, knows_ends=True) if self.stored_positions else None
        delivery = BatchDelivery(
            Steps(prepare=as_they_are, record=self.record, publish=self.publish),
            max_records=20,
            fail=self.failures.append,
            start=start,
            step_timeout=1e-9,  # a step that fails is tried once
            commit_timeout=2.0,
            metrics=self.losses,
        )
        subscribe(broker, delivery, self.topic, group=self.settings.consumer_group, session_seconds=10)
        await broker.start()
        consumer: Any = delivery._consumer()
        commit = consumer.commit

        async def checked_commit(offsets: dict[TopicPartition, int]) -> None:
            self.check_commit(offsets)
            self.commits_that_hang -= 1
            if self.commits_that_hang >= 0:
                await asyncio.sleep(60)
            await commit(offsets)

        consumer.commit = checked_commit
        try:
            yield consumer
        finally:
            await delivery.close()
            await broker.stop()


async def send(settings: Settings, count: int, partitions: int = 1) -> None:
    topic = topics(settings.topic_prefix).entity_events.name
    async with producing(settings.kafka) as producer:
        for number in range(count):
            await producer.send(topic, b"%d" % number, partition=number % partitions)
        await producer.flush()


def fails(times: int, error: Exception) -> Step:
    """A step that fails so many times."""
    left = times

    async def step(_: Records) -> None:
        nonlocal left
        left -= 1
        if left >= 0:
            raise error

    return step


FOR_THE_MOMENT = UnavailableError("for the moment")


@pytest.mark.parametrize("at_which", ["record", "publish"])
async def test_a_batch_that_failed_is_done_again_although_nothing_new_comes(
    settings: Settings, at_which: str
) -> None:
    await send(settings, 10)
    step = fails(2, FOR_THE_MOMENT)
    delivery = Delivery(settings, step) if at_which == "record" else Delivery(settings, nothing, step)
    async with delivery.running():
        await wait_until_consumed(settings)
    assert delivery.failures == []
    assert delivery.broken_promises == []


@pytest.mark.parametrize("at_which", ["record", "publish"])
async def test_an_unforeseen_failure_is_logged_and_nothing_is_skipped(
    settings: Settings, at_which: str
) -> None:
    await send(settings, 100)
    step = fails(3, ZeroDivisionError("a mistake of ours"))
    delivery = Delivery(settings, step) if at_which == "record" else Delivery(settings, nothing, step)

    async def has_failed() -> bool:
        return bool(delivery.failures)

    async with delivery.running():
        await eventually(has_failed)
        await send(settings, 100)
        await asyncio.sleep(0.5)
    assert {type(failure) for failure in delivery.failures} == {ZeroDivisionError}
    assert delivery.broken_promises == []


async def test_offsets_that_kafka_did_not_take_are_committed_although_nothing_new_comes(
    settings: Settings,
) -> None:
    await send(settings, 10)
    delivery = Delivery(settings, commits_that_hang=1)
    async with delivery.running():
        await wait_until_consumed(settings)
    assert delivery.broken_promises == []


async def test_a_partition_that_does_not_get_on_holds_up_no_other(settings: Settings) -> None:
    """For example its leader is away: the client knows of records there that it cannot fetch."""
    delivery = Delivery(settings)
    async with delivery.running() as consumer:
        end = consumer.last_stable_offset
        consumer.last_stable_offset = lambda at: 1_000_000 if at.partition == 1 else end(at)
        await send(settings, 150)
        await wait_until_consumed(settings)


async def test_partitions_whose_start_cannot_be_found_for_an_unforeseen_reason_are_no_silence(
    settings: Settings,
) -> None:
    async def stored_positions() -> dict[tuple[str, int], int]:
        raise ZeroDivisionError("a mistake of ours")

    delivery = Delivery(settings, stored_positions=stored_positions)

    async def has_failed() -> bool:
        return bool(delivery.failures)

    async with delivery.running():
        await eventually(has_failed)


async def test_messages_deleted_before_the_start_are_reported(settings: Settings) -> None:
    await send(settings, 30)
    await delete_before(settings, 20)

    async def stored_positions() -> dict[tuple[str, int], int]:
        return {(delivery.topic, 0): 5}

    delivery = Delivery(settings, stored_positions=stored_positions)
    async with delivery.running():
        await wait_until_consumed(settings)
    assert delivery.losses.messages == 15


@pytest.mark.parametrize("deleted", [12, 25])
async def test_recorded_messages_deleted_before_they_were_committed_are_reported_apart(
    settings: Settings, deleted: int
) -> None:
    """Nothing says that what follows from them was published."""
    await send(settings, 30)
    delivery = Delivery(settings)
    assert await commit_if_behind(settings, settings.consumer_group, {(delivery.topic, 0): 5})
    await delete_before(settings, deleted)

    async def stored_positions() -> dict[tuple[str, int], int]:
        return {(delivery.topic, 0): 20}

    delivery.stored_positions = stored_positions
    with capture_logs() as logged:
        async with delivery.running():
            await wait_until_consumed(settings)
    unpublished = [line for line in logged if line["event"].startswith("recorded messages gone")]
    assert [line["offsets"] for line in unpublished] == [[5, min(deleted, 20) - 1]]
    assert delivery.losses.messages == max(0, deleted - 20)


async def test_what_a_restored_database_records_again_is_published_though_its_first_process_ends_before(
    settings: Settings,
) -> None:
    """The group's committed offset is of what was published before the restoration."""
    await send(settings, 30)
    before = Delivery(settings)
    async with before.running():
        await wait_until_consumed(settings)

    async def publishes_nothing(_: Records) -> None:
        raise FOR_THE_MOMENT

    async def restored_positions() -> dict[tuple[str, int], int]:
        return {(first.topic, 0): 10}

    first = Delivery(settings, on_publish=publishes_nothing, stored_positions=restored_positions)
    first.recorded[0] = 10
    first.published = {(0, offset) for offset in range(10)}

    async def has_recorded() -> bool:
        return first.recorded[0] == 30

    async with first.running():
        await eventually(has_recorded)

    async def positions_of_the_first() -> dict[tuple[str, int], int]:
        return first.positions

    second = Delivery(settings, stored_positions=positions_of_the_first)
    second.recorded[0] = 10
    second.published = {(0, offset) for offset in range(10)}
    async with second.running():
        await wait_until_consumed(settings)
    assert {offset for _, offset in second.published} == set(range(30))
    assert first.broken_promises == second.broken_promises == []


async def test_messages_deleted_before_they_are_read_on_are_reported(settings: Settings) -> None:
    await send(settings, 10)
    delivery = Delivery(settings)
    async with delivery.running() as consumer:
        await wait_until_consumed(settings)
        consumer.pause(*consumer.assignment())

        async def no_fetch_is_under_way() -> bool:
            """One that waits at the broker for new messages would bring them before they are deleted."""
            return not consumer._fetcher._pending_tasks

        await eventually(no_fetch_is_under_way)
        await send(settings, 30)
        await delete_before(settings, 25)
        consumer.resume(*consumer.assignment())
        await wait_until_consumed(settings)
    assert delivery.losses.messages == 15


async def test_what_a_transaction_leaves_between_two_messages_is_no_loss(settings: Settings) -> None:
    topic = topics(settings.topic_prefix).entity_events.name
    delivery = Delivery(settings)
    async with delivery.running():
        async with producing(settings.kafka, transactional_id=f"{settings.topic_prefix}loss") as producer:
            for number in range(6):
                await producer.begin_transaction()
                await producer.send_and_wait(topic, b"%d" % number, partition=0)
                await (producer.abort_transaction() if number % 2 else producer.commit_transaction())
        await send(settings, 10)
        await wait_until_consumed(settings)
    assert delivery.losses.messages == 0


async def delete_before(settings: Settings, offset: int) -> None:
    """Delete the first messages of a partition, as retention does."""
    at = TopicPartition(topics(settings.topic_prefix).entity_events.name, 0)
    async with open_admin(settings) as admin:
        await admin.delete_records({at: RecordsToDelete(offset)})


async def test_nothing_is_skipped_for_any_failure_at_any_time(settings: Settings) -> None:
    dice = Random(20)

    async def sometimes_fail(_: Records) -> None:
        await asyncio.sleep(dice.choice([0, 0, 0.01, 0.05]))
        if dice.random() < 0.25:
            raise UnavailableError("for the moment")

    async def no_positions() -> dict[tuple[str, int], int]:
        return delivery.positions

    delivery = Delivery(settings, sometimes_fail, sometimes_fail, no_positions)
    async with delivery.running(), producing(settings.kafka) as producer:
        for number in range(400):
            await producer.send(delivery.topic, b"%d" % number, partition=dice.randrange(6))
            if dice.random() < 0.1:
                await producer.flush()
                await asyncio.sleep(dice.choice([0.01, 0.1, 0.3]))
        await producer.flush()
        await wait_until_consumed(settings)
    assert delivery.broken_promises == []
    assert len(delivery.published) == 400
    assert delivery.failures == []
