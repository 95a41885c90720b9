"""PostgreSQL and Kafka away for a while: the consumers wait, log it once, and go on where they were."""

import asyncio
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

import asyncpg
import pytest

from harness.log_table import differences, stored_rows
from harness.provenance import as_stored, believed
from harness.service import ServiceProcess, running
from harness.settled import wait_until_settled
from harness.topics import publish, read_all
from harness.waiting import TIMEOUT, eventually
from histories import chains
from llamalog_schemas.events import EntityEvent
from llamalog_service.kafka.consumer.broker import RetryingBroker
from llamalog_service.kafka.topics import topics
from llamalog_service.settings import Settings
from llamalog_tools.devstack.apache_kafka import ApacheKafka
from llamalog_tools.devstack.postgres import LocalPostgres

pytestmark = pytest.mark.apache_kafka

AWAY = 5.0
"""Seconds."""
TASKS = 5
"""Of the migration consumer at most: each logs its own waiting."""


@pytest.fixture
def settings(breakable: Settings) -> Settings:
    return breakable.model_copy(update={"batch_records": 200})


@pytest.fixture
def database_url(settings: Settings) -> str:
    return settings.database_url.get_secret_value()


def parts(history: Sequence[EntityEvent], number: int) -> Iterator[Sequence[EntityEvent]]:
    """What is published later finds work to do however quick the consumers were with what came before."""
    each = len(history) // number
    return (history[first : first + each] for first in range(0, len(history), each))


async def until_at_work(pool: asyncpg.Pool) -> None:
    async def has_rows() -> bool:
        return bool(await pool.fetchval("SELECT EXISTS (SELECT FROM llama_logs)"))

    await eventually(has_rows)


async def assert_nothing_is_lost(settings: Settings, pool: asyncpg.Pool, count: int) -> None:
    names = topics(settings.topic_prefix)
    stored = await stored_rows(pool)
    assert differences(stored, chains(count)) == []
    published = await read_all(settings.kafka, names.provenance.name)
    assert believed(record.value for record in published) == as_stored(stored)
    assert await read_all(settings.kafka, names.dead_letters.name) == []


def assert_each_wait_is_logged_once(process: ServiceProcess) -> None:
    """A consumer does two things at a time at most: recording one batch and publishing another."""
    waits, ends = process.logged("waiting"), process.logged("recovered")
    assert 1 <= len(waits) <= 3
    assert sorted(line["doing"] for line in ends) == sorted(line["doing"] for line in waits)


async def test_without_postgres_the_consumers_wait_and_go_on(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path, breakable_postgres: LocalPostgres
) -> None:
    before, meanwhile, late_parents = parts(chains(3000), 3)
    await publish(settings, before)
    async with (
        running("consumer", settings, tmp_path) as consumer,
        running("migration-consumer", settings, tmp_path) as migration_consumer,
    ):
        await until_at_work(pool)
        await asyncio.to_thread(breakable_postgres.stop)
        await publish(settings, meanwhile)
        await consumer.logs_event("waiting")
        await asyncio.sleep(AWAY)
        await asyncio.to_thread(breakable_postgres.start)
        await wait_until_settled(settings, pool)
        assert_each_wait_is_logged_once(consumer)
        await migration_consumer.logs_event("recovered")

        waits = len(migration_consumer.logged("waiting"))
        await asyncio.to_thread(breakable_postgres.stop)
        await migration_consumer.logs_event("waiting", times=waits + 1)
        await asyncio.to_thread(breakable_postgres.start)
        await publish(settings, reversed(late_parents))
        await wait_until_settled(settings, pool)
        assert len(migration_consumer.logged("waiting")) <= waits + TASKS, "a line at every attempt"
        assert [await consumer.stop(), await migration_consumer.stop()] == [0, 0]
    await assert_nothing_is_lost(settings, pool, 3000)


async def test_a_consumer_that_waits_for_postgres_can_be_stopped(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path, breakable_postgres: LocalPostgres
) -> None:
    before, meanwhile = parts(chains(3000), 2)
    await publish(settings, before)
    async with running("consumer", settings, tmp_path) as consumer:
        await until_at_work(pool)
        await asyncio.to_thread(breakable_postgres.stop)
        try:
            await publish(settings, meanwhile)
            await consumer.logs_event("waiting")
            assert await consumer.stop() == 0
        finally:
            await asyncio.to_thread(breakable_postgres.start)
    async with running("consumer", settings, tmp_path), running("migration-consumer", settings, tmp_path):
        await wait_until_settled(settings, pool)
    await assert_nothing_is_lost(settings, pool, 3000)


async def test_without_kafka_the_consumers_wait_and_go_on(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path, breakable_kafka: ApacheKafka
) -> None:
    await publish(settings, chains(3000))
    async with (
        running("consumer", settings, tmp_path) as consumer,
        running("migration-consumer", settings, tmp_path) as migration_consumer,
    ):
        await until_at_work(pool)
        await asyncio.to_thread(breakable_kafka.kill)
        await asyncio.sleep(AWAY)
        await asyncio.to_thread(breakable_kafka.start)
        await wait_until_settled(settings, pool)
        assert consumer.logged("waiting") or consumer.logged("batches requeued")
        of_batches = len(consumer.logged("recorded"))
        assert len(consumer.output.splitlines()) - of_batches < 25, "a line at every attempt"
        assert [await consumer.stop(), await migration_consumer.stop()] == [0, 0]
    await assert_nothing_is_lost(settings, pool, 3000)


async def test_consumers_read_where_one_of_several_brokers_answers(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        away = closed.getsockname()[1]
    several = settings.model_copy(update={"kafka": f"127.0.0.1:{away}, {settings.kafka}"})
    await publish(settings, reversed(chains(30)))
    async with running("consumer", several, tmp_path), running("migration-consumer", several, tmp_path):
        await wait_until_settled(settings, pool)
    await assert_nothing_is_lost(settings, pool, 30)


async def test_a_consumer_that_is_started_without_kafka_waits_for_it(
    settings: Settings, breakable_kafka: ApacheKafka
) -> None:
    broker = RetryingBroker(settings.kafka, apply_types=False, logger=None)
    heard: list[bytes] = []

    @broker.subscriber(topics(settings.topic_prefix).entity_events.name, auto_offset_reset="earliest")
    async def hear(message: bytes) -> None:
        heard.append(message)

    async def is_heard() -> bool:
        return bool(heard)

    await asyncio.to_thread(breakable_kafka.kill)
    starting = asyncio.create_task(broker.start())
    await asyncio.sleep(1)
    assert not starting.done()
    await asyncio.to_thread(breakable_kafka.start)
    await asyncio.wait_for(starting, TIMEOUT)
    await publish(settings, chains(3))
    await eventually(is_heard)
    await broker.stop()
