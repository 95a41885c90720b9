"""Events in Kafka's transactions: the committed ones are recorded, the aborted ones nowhere."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from statistics import median
from uuid import UUID, uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from harness.log_table import differences, stored_rows
from harness.monitored import metrics_of
from harness.service import ServiceProcess, running
from harness.settled import wait_until_consumed, wait_until_settled
from harness.topics import lag, producing, publish_events
from harness.waiting import eventually
from histories import NOON, event
from llamalog_schemas.codec import STRUCTURED_HEADERS, encode
from llamalog_schemas.commands import RecomputeReason, RecomputeRoots, RecomputeRootsData
from llamalog_schemas.events import Event
from llamalog_service.bootstrap.rebuilds import rebuild_log
from llamalog_service.kafka.reader import read_lag
from llamalog_service.kafka.topics import topics
from llamalog_service.rebuild.rebuild import RebuildOptions
from llamalog_service.settings import Settings

pytestmark = pytest.mark.apache_kafka

PARTITION = 1
"""Of every transaction here, so that its messages, markers and those of others lie in one log."""


class Transactions:
    """A producer of transactions, and one beside it that uses none."""

    def __init__(self, topic: str, producer: AIOKafkaProducer, other: AIOKafkaProducer) -> None:
        self._topic = topic
        self._producer = producer
        self._other = other

    async def begin(self, events: Iterable[Event]) -> None:
        await self._producer.begin_transaction()
        await publish_events(self._producer, self._topic, events, PARTITION)

    async def commit(self) -> None:
        await self._producer.commit_transaction()

    async def abort(self) -> None:
        await self._producer.abort_transaction()

    async def publish(self, events: Iterable[Event], partition: int = PARTITION) -> None:
        """Publish events beside the transaction."""
        await publish_events(self._other, self._topic, events, partition)


@pytest.fixture
async def transactions(settings: Settings) -> AsyncIterator[Transactions]:
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka, transactional_id=f"test-{uuid4()}", max_batch_size=2000
    )
    async with producer, producing(settings.kafka) as other:
        yield Transactions(topics(settings.topic_prefix).entity_events.name, producer, other)


async def lags(settings: Settings, consumer: ServiceProcess) -> dict[str, float]:
    """The lag as Kafka's tools, the API and the consumer's own metrics report it."""
    topic = topics(settings.topic_prefix).entity_events.name
    api = await read_lag(settings, settings.consumer_group, topic)
    own = [
        value
        for name, value in metrics_of(consumer).items()
        if name.startswith("llamalog_consumer_lag_records")
    ]
    return {
        "tools": await lag(settings.kafka, settings.consumer_group, topic),
        "API": api,
        "metrics": sum(own) if own else -1,
    }


async def wait_for_no_lag(settings: Settings, consumer: ServiceProcess) -> None:
    await wait_until_consumed(settings)

    async def no_lag() -> bool:
        return set((await lags(settings, consumer)).values()) == {0}

    await eventually(no_lag)


async def test_aborted_events_are_nowhere_and_no_lag_is_left_behind_them(
    settings: Settings, pool: asyncpg.Pool, transactions: Transactions, tmp_path: Path
) -> None:
    """Committed, aborted, interleaved with other producers; the last of all is an aborted transaction."""
    kept = [event(number, f"job-{number}") for number in range(60)]
    dropped = [event(1000 + number, f"job-{number}") for number in range(60)]
    await transactions.begin(kept[:20])
    await transactions.publish(kept[20:30])
    await transactions.commit()
    await transactions.begin(dropped[:20])
    await transactions.publish(kept[30:40])
    await transactions.abort()
    async with running("consumer", settings, tmp_path) as consumer:
        await wait_for_no_lag(settings, consumer)
        await transactions.begin(kept[40:50])
        await transactions.publish(kept[50:])
        await transactions.commit()
        await wait_for_no_lag(settings, consumer)
        await transactions.begin(dropped[20:])
        await transactions.abort()
        await wait_for_no_lag(settings, consumer)
        assert await consumer.stop() == 0
    assert differences(await stored_rows(pool), kept) == []
    lines: list[str] = []
    report = await rebuild_log(settings, RebuildOptions(on_difference=lines.append), lambda _: None)
    assert (report.messages, lines) == (len(kept), [])


async def test_an_open_transaction_holds_up_its_own_partition_alone(
    settings: Settings, pool: asyncpg.Pool, transactions: Transactions, tmp_path: Path
) -> None:
    """What lies behind it comes when it ends; meanwhile others are read at once, and nothing is behind."""
    opened = [event(number) for number in range(5)]
    behind = [event(100 + number) for number in range(5)]
    elsewhere = [event(200 + number) for number in range(40)]

    async def rows() -> int:
        return int(await pool.fetchval("SELECT count(*) FROM llama_logs"))

    async with running("consumer", settings, tmp_path) as consumer:
        await consumer.logs_event("reading")
        await transactions.begin(opened)
        await transactions.publish(behind)
        waited = []
        for number, one in enumerate(elsewhere):
            await transactions.publish([one], partition=2 + number % 4)
            began = asyncio.get_running_loop().time()

            async def is_recorded(expected: int = number + 1) -> bool:
                return await rows() >= expected

            await eventually(is_recorded)
            waited.append(asyncio.get_running_loop().time() - began)
        assert median(waited) < 5  # a single one may meet a moment in which the machine does something else
        assert await rows() == len(elsewhere)
        await transactions.commit()
        await wait_for_no_lag(settings, consumer)
    assert differences(await stored_rows(pool), [*opened, *behind, *elsewhere]) == []


async def test_commands_of_an_aborted_transaction_are_not_done(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    commands = topics(settings.topic_prefix).backfill_commands.name
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka, transactional_id=f"test-{uuid4()}")
    async with producer:
        for number in (1, 2):
            await producer.begin_transaction()
            command = RecomputeRoots(
                id=str(UUID(int=number)),
                source="/tests",
                time=NOON,
                specversion="1.0",
                data=RecomputeRootsData(jobs=("job",), reason=RecomputeReason.REQUESTED),
            )
            await producer.send_and_wait(commands, encode(command), partition=0, headers=STRUCTURED_HEADERS)
            await (producer.commit_transaction() if number == 1 else producer.abort_transaction())
    async with running("migration-consumer", settings, tmp_path):
        await wait_until_settled(settings, pool)
    assert await pool.fetchval("SELECT array_agg(id) FROM backfill_runs") == [UUID(int=1)]
