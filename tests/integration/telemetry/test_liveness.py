"""A consumer that progresses is live, one that waits is left alone, one that stalls ends with its code."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg
import pytest

from harness.monitored import get, metrics_of
from harness.service import ServiceProcess, running
from harness.settled import wait_until_settled
from harness.topics import publish
from harness.waiting import eventually
from histories import chains
from llamalog_service.domain.errors import ExitCode
from llamalog_service.settings import Settings
from llamalog_tools.devstack.apache_kafka import ApacheKafka

pytestmark = pytest.mark.apache_kafka

STALL = 6.0
"""Seconds: longer than Kafka and PostgreSQL take to answer on a busy machine."""


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return impatient(settings)


def impatient(settings: Settings) -> Settings:
    return settings.model_copy(update={"stall_seconds": STALL, "batch_records": 200})


def answers(process: ServiceProcess, path: str, status: int) -> Callable[[], Awaitable[bool]]:
    async def it_does() -> bool:
        return (await asyncio.to_thread(get, process, path)).status == status

    it_does.__doc__ = f"{path} answers {status}"
    return it_does


async def test_a_consumer_that_gets_on_is_live_and_ready_and_counts_what_it_does(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    await publish(settings, chains(300))
    async with (
        running("consumer", settings, tmp_path) as consumer,
        running("migration-consumer", settings, tmp_path) as migration_consumer,
    ):
        await wait_until_settled(settings, pool)
        for process in (consumer, migration_consumer):
            await eventually(answers(process, "/readyz", 200))
            assert get(process, "/livez").status == 200
        await eventually(lambda: all_is_measured(consumer, migration_consumer))
        counted = metrics_of(consumer)
        assert counted["llamalog_events_total{type=entity-created,verdict=recorded}"] == 300
        assert (
            counted["llamalog_time_to_root_seconds_count"]
            + metrics_of(migration_consumer)["llamalog_time_to_root_seconds_count"]
            == 300
        )
        assert counted["llamalog_batch_step_seconds_count{step=commit}"] >= 1
        measured = metrics_of(migration_consumer)
        assert measured["llamalog_table_size_bytes{table=llama_logs}"] > 0
        assert [await consumer.stop(), await migration_consumer.stop()] == [0, 0]


async def test_without_kafka_a_consumer_is_live_and_not_ready(
    breakable: Settings, tmp_path: Path, breakable_kafka: ApacheKafka
) -> None:
    settings = impatient(breakable)
    await publish(settings, chains(30))
    async with (
        running("consumer", settings, tmp_path) as consumer,
        running("migration-consumer", settings, tmp_path) as migration_consumer,
    ):
        processes = (consumer, migration_consumer)
        for process in processes:
            await eventually(answers(process, "/readyz", 200))
        await asyncio.to_thread(breakable_kafka.kill)
        try:
            for process in processes:
                await eventually(answers(process, "/readyz", 503))
            for _ in range(int(2 * STALL)):
                await asyncio.sleep(1)
                assert [get(process, "/livez").status for process in processes] == [200, 200]
            assert "Kafka does not answer" in get(consumer, "/readyz").reasons
        finally:
            await asyncio.to_thread(breakable_kafka.start)
        for process in processes:
            await eventually(answers(process, "/readyz", 200))
        assert [await consumer.stop(), await migration_consumer.stop()] == [0, 0]


async def all_is_measured(consumer: ServiceProcess, migration_consumer: ServiceProcess) -> bool:
    """The consumer's lag and the rows that wait for their root are measured as 0, and the table's size is."""
    measured = metrics_of(consumer).items()
    lags = {lag for name, lag in measured if name.startswith("llamalog_consumer_lag")}
    of_table = metrics_of(migration_consumer)
    waiting = of_table.get("llamalog_unresolved_rows{origin=PENDING}")
    return lags == {0} and waiting == 0 and "llamalog_table_size_bytes{table=llama_logs}" in of_table


STUCK = {
    "a step that never ends": "no offset was committed",
    "an event loop that is stuck": "the event loop has been stuck",
    "a client that polls no more": "nothing was polled",
    "a group that is never joined": "it has not joined its group",
}


async def test_a_consumer_that_is_stuck_logs_it_and_ends(settings: Settings, tmp_path: Path) -> None:
    """Each kind of it, in a group of its own, at the same time: they do nothing but wait."""
    live = asyncio.Barrier(len(STUCK) + 1)

    async def one(number: int, sabotage: str, reason: str) -> None:
        own = settings.model_copy(update={"consumer_group": f"{settings.consumer_group}-{number}"})
        async with running("consumer", own, tmp_path, sabotage=sabotage) as consumer:
            await eventually(answers(consumer, "/livez", 200))
            await live.wait()
            await eventually(answers(consumer, "/livez", 503))
            assert any(reason in why for why in get(consumer, "/livez").reasons), sabotage
            assert await consumer.ended() == ExitCode.STALLED, sabotage
            assert consumer.logged("stalled"), sabotage

    async with asyncio.TaskGroup() as all_at_once:
        for number, (sabotage, reason) in enumerate(STUCK.items()):
            all_at_once.create_task(one(number, sabotage, reason))
        await live.wait()
        await publish(settings, chains(30))


async def test_a_producer_that_is_of_no_more_use_ends_the_consumer_and_another_goes_on(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    await publish(settings, chains(600))  # several batches: a broker takes any number as a producer's first
    async with running("consumer", settings, tmp_path, sabotage="a producer out of sequence") as consumer:
        assert await consumer.ended() == ExitCode.BROKEN
        assert "OutOfOrderSequenceNumber" in consumer.output
    async with running("consumer", settings, tmp_path), running("migration-consumer", settings, tmp_path):
        await wait_until_settled(settings, pool)


async def test_a_consumer_that_was_stopped_for_a_while_is_not_taken_for_stuck(
    settings: Settings, tmp_path: Path
) -> None:
    await publish(settings, chains(30))
    async with running("consumer", settings, tmp_path) as consumer:
        await eventually(answers(consumer, "/readyz", 200))
        consumer.signal(signal.SIGSTOP)
        await asyncio.sleep(2 * STALL)
        consumer.signal(signal.SIGCONT)
        await eventually(answers(consumer, "/readyz", 200))
        assert not consumer.logged("stalled")
        assert await consumer.stop() == 0


async def test_a_port_that_is_taken_is_refused_with_what_to_do(settings: Settings, tmp_path: Path) -> None:
    async with running("consumer", settings, tmp_path) as consumer:
        await eventually(answers(consumer, "/livez", 200))
        port = int(consumer.logged("serving")[0]["address"].rpartition(":")[2])
        other = settings.model_copy(update={"consumer_port": port})
        async with running("consumer", other, tmp_path) as second:
            assert await second.ended() == ExitCode.ERROR
            assert "LLAMALOG_CONSUMER_PORT" in second.output
