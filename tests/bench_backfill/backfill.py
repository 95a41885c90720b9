"""The commanded run: kept as the migration consumer keeps a command, done by the worker with all its tasks.

Corrections are published meanwhile, as in production, but to a null producer: the speed of a Kafka is not
measured here.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID, uuid4

import asyncpg
from pydantic import SecretStr

from harness.waiting import eventually
from llamalog_schemas.backfills import RunStatus
from llamalog_schemas.commands import BackfillRoots, BackfillRootsData, WholeTable
from llamalog_service.backfill.backfill_store import Backfill, BackfillStore
from llamalog_service.backfill.recomputes import RecomputeQueue
from llamalog_service.backfill.worker import (
    POLL_SECONDS,
    Worker,
    publish_tasks,
    recompute_tasks,
    sweep_task,
)
from llamalog_service.kafka.clients import MessageToSend
from llamalog_service.kafka.publisher import EventPublisher, MessageProducer
from llamalog_service.kafka.topics import topics
from llamalog_service.postgres.locks import WorkerLock
from llamalog_service.postgres.pool import open_pool
from llamalog_service.settings import Settings

_TIMEOUT = 3600.0


class BackfillBenchError(Exception):
    """The run did not come to its end; what was measured is worthless."""


class Done(NamedTuple):
    """A run that was completed, and the seconds from its command to its end."""

    run: Backfill
    seconds: float


class _NullProducer(MessageProducer):
    def __init__(self) -> None:
        pass

    async def send(self, topic: str, messages: Iterable[MessageToSend]) -> None:
        await asyncio.sleep(0)

    send_batched = send


async def commanded_backfill(url: str) -> Done:
    """Command a backfill of everything and wait for its end, and for that of the recomputes beside it.

    Raises:
        BackfillBenchError: it failed.
    """
    settings = Settings(database_url=SecretStr(url), kafka="none:1")
    command = BackfillRoots(
        id=str(uuid4()),
        source="/bench",
        time=datetime.now(UTC),
        specversion="1.0",
        data=BackfillRootsData(scope=WholeTable(), requested_by="bench"),
    )
    async with (
        open_pool(settings, name="llamalog migration-consumer") as pool,
        _working(settings, pool) as worker,
    ):
        store = BackfillStore(pool)
        began = time.perf_counter()
        await store.apply([command])
        worker.wake()
        run = UUID(command.id)

        async def is_over() -> bool:
            found = await store.find(run)
            return found is not None and found.finished_at is not None

        await eventually(is_over, _TIMEOUT)
        seconds = time.perf_counter() - began
        found = await store.find(run)
    if found is None or found.status is not RunStatus.COMPLETED:
        raise BackfillBenchError(f"The run did not complete: {found}")
    return Done(found, seconds)


async def repair_the_rest(url: str) -> None:
    """Do what live traffic has commanded since: the table is at rest then."""
    settings = Settings(database_url=SecretStr(url), kafka="none:1")
    async with open_pool(settings, name="llamalog migration-consumer") as pool, _working(settings, pool):

        async def nothing_is_open() -> bool:
            return not await pool.fetchval(
                "SELECT EXISTS (SELECT FROM backfill_runs WHERE status IN ('queued', 'running'))"
            )

        await eventually(nothing_is_open, _TIMEOUT)


@asynccontextmanager
async def _working(settings: Settings, pool: asyncpg.Pool) -> AsyncIterator[Worker]:
    event_publisher = EventPublisher(_NullProducer(), topics(), source="/bench")
    async with open_pool(settings, name="llamalog recompute", keep_plans=False) as planning_pool:
        tasks = [
            *recompute_tasks(pool, planning_pool),
            sweep_task(planning_pool, every=settings.sweep_seconds, full_every=settings.full_sweep_seconds),
            *publish_tasks(pool, event_publisher),
        ]
        worker = Worker(
            lock=WorkerLock(pool), queue=RecomputeQueue(pool), tasks=tasks, poll_every=POLL_SECONDS
        )
        working = asyncio.create_task(worker.run())
        try:
            yield worker
        finally:
            working.cancel()
            await asyncio.wait([working])
