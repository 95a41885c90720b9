"""One drain: both consumers as processes, timed from the first fetch until everything is done and settled.

The clock starts with the consumer's log line ``reading``, written just before its partitions are released
to be fetched. It stops when three things hold, seen in this order: the consumer's group has committed every
partition to its end; the migration consumer's group has committed the commands to their end, so that all of
them are runs; and no run is open and no correction unpublished.
"""

import asyncio
import json
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import asyncpg

from bench.costs import CpuSeconds, cpu_seconds, cpu_spent, peak_memory
from bench.installation import Installation
from bench.kafka import GroupWatch
from llamalog_tools.devstack.process import OwnedProcess

_POLL_SECONDS = 0.02
_SELDOM_SECONDS = 0.05
_START_SECONDS = 60.0
_STOP_SECONDS = 40.0
_SLOWEST = 300
"""Messages a second below which a drain is taken for one that never ends."""

_SETTLED = """
    SELECT NOT EXISTS (SELECT FROM backfill_runs WHERE status IN ('queued', 'running'))
       AND NOT EXISTS (SELECT FROM provenance_outbox)
"""
_RECORDED = """
    SELECT coalesce(sum(next_offset), 0)::bigint FROM consumer_positions
    WHERE consumer_group = $1 AND topic = $2
"""

StartedConsumer = Callable[[int], None]
"""Called with the pid of a consumer that is about to fetch."""


class DrainError(Exception):
    """The consumers did not do their work in time, or ended."""


class Drained(NamedTuple):
    """When a drain had come how far, in seconds since its start; CPU seconds by process; memory in bytes.

    `recorded`: the last row was committed; `committed`: the last offset; `settled`: no command was open.
    """

    recorded: float
    committed: float
    settled: float
    cpu: CpuSeconds
    consumer_memory: int
    migration_consumer_memory: int


async def drain(
    installation: Installation,
    messages: int,
    servers: dict[str, int],
    logs: Path,
    on_start: StartedConsumer | None = None,
) -> Drained:
    """Have the backlog of an installation worked off by a consumer and a migration consumer.

    Args:
        messages: how many there are in the topic of entity events.
        servers: pids of the servers whose CPU time is counted, by name.
        logs: the folder for the logs of both.
        on_start: called once the consumer is about to fetch.

    Raises:
        DrainError: they did not come to an end, or ended before they had.
    """
    database = await asyncpg.connect(installation.database_url)
    watch = await GroupWatch.connect(installation.bootstrap)
    try:
        with running("migration-consumer", installation, logs) as migration_consumer:
            await until(
                lambda: watch.has_members(installation.migration_group),
                [migration_consumer],
                _START_SECONDS,
            )
            with running("consumer", installation, logs) as consumer:
                processes = [consumer, migration_consumer]
                await until(lambda: is_reading(consumer), processes, _START_SECONDS, every=0.005)
                pids = {"consumer": consumer.pid, "migration-consumer": migration_consumer.pid, **servers}
                before = cpu_seconds(pids)
                if on_start is not None:
                    on_start(consumer.pid)
                instants = await settle(installation, messages, processes, watch=watch, database=database)
                after = cpu_seconds(pids)
                start = _start_of_reading(consumer)
                memory = peak_memory(consumer.pid), peak_memory(migration_consumer.pid)
        recorded_at, committed_at, settled_at = (instant - start for instant in instants)
        return Drained(recorded_at, committed_at, settled_at, cpu_spent(before, after), *memory)
    finally:
        await watch.close()
        await database.close()


async def settle(
    installation: Installation,
    messages: int,
    processes: list[OwnedProcess],
    *,
    watch: GroupWatch,
    database: asyncpg.Connection,
) -> list[float]:
    """Wait until so many messages are recorded, their offsets committed, and all that they caused is done.

    Returns:
        When each of the three was seen, in seconds of the clock on the wall.

    Raises:
        DrainError: it did not come to an end, or a process ended before.
    """
    timeout = 60 + messages / _SLOWEST

    async def recorded() -> bool:
        names = installation.consumer_group, installation.topics.entity_events.name
        return bool(await database.fetchval(_RECORDED, *names) >= messages)

    async def committed() -> bool:
        return await watch.is_at_end(installation.consumer_group, installation.topics.entity_events)

    async def settled() -> bool:
        if not await watch.is_at_end(installation.migration_group, installation.topics.backfill_commands):
            return False
        return bool(await database.fetchval(_SETTLED))

    return [
        await until(recorded, processes, timeout, every=_SELDOM_SECONDS),
        await until(committed, processes, timeout),
        await until(settled, processes, timeout),
    ]


@contextmanager
def running(command: str, installation: Installation, logs: Path) -> Iterator[OwnedProcess]:
    """`llamalog <command>` of an installation, stopped in the end."""
    process = OwnedProcess(
        f"llamalog {command}",
        [str(Path(sys.executable).with_name("llamalog")), command],
        log=logs / f"{installation.prefix}{command}.log",
        env=installation.environment(),
    )
    try:
        yield process
    except BaseException:
        process.kill()
        raise
    if not process.stop(signal.SIGTERM, _STOP_SECONDS):
        raise DrainError(f"{process.name} did not end within {_STOP_SECONDS:.0f} s and was killed.")


async def until(
    is_so: Callable[[], Awaitable[bool]],
    processes: list[OwnedProcess],
    seconds: float,
    every: float = _POLL_SECONDS,
) -> float:
    """Wait until it is so; when that was seen, in seconds of the clock on the wall."""
    deadline = time.monotonic() + seconds
    while not await is_so():
        for process in processes:
            if not process.is_running():
                raise DrainError(f"{process.name} ended by itself. Its log ends:\n{process.output()[-2000:]}")
        if time.monotonic() > deadline:
            logs = "\n".join(f"{process.name}:\n{process.output()[-2000:]}" for process in processes)
            raise DrainError(f"Nothing more came after {seconds:.0f} s. The ends of the logs:\n{logs}")
        await asyncio.sleep(every)
    return time.time()


async def is_reading(consumer: OwnedProcess) -> bool:
    """Whether it is about to fetch."""
    return '"reading"' in consumer.output()


def _start_of_reading(consumer: OwnedProcess) -> float:
    for line in consumer.output().splitlines():
        if '"reading"' in line:
            return datetime.fromisoformat(json.loads(line)["timestamp"]).timestamp()
    raise DrainError("The consumer's log does not show when it began to read.")
