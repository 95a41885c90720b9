"""The bench from beginning to end: a drain for the rate, then events at half of it, each of them timed."""

import asyncio
import math
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final, NamedTuple

import asyncpg

from bench.backlog import Backlog, fill, make_backlog
from bench.checks import Found, inspect
from bench.costs import CpuSeconds, cpu_seconds, cpu_spent
from bench.drain import drain, is_reading, running, settle, until
from bench.forked import forked
from bench.installation import Installation, new_installation
from bench.kafka import GroupWatch
from bench.machine import OtherPrograms, load
from bench.servers import Servers, durability, settle_disk
from bench_latency.delays import Delay, committed_rows, delays
from bench_latency.observer import observe
from bench_latency.sender import Sending, send_steadily
from harness.databases import run_sql
from llamalog_tools.demo.publish import Played

_MESSAGES_AN_ALBUM: Final = 34.7
_START_SECONDS: Final = 60.0
_FLUSHES = """
    SELECT coalesce(sum(fsync_time) / nullif(sum(fsyncs), 0), 0) / 1000 FROM pg_stat_io WHERE object = 'wal'
"""

Notify = Callable[[str], None]


class Plan(NamedTuple):
    """How much is measured.

    Attributes:
        rate: messages a second; None: half of what a drain manages.
        albums: of the drain.
        seconds: that are measured, after the first `warm_up` seconds.
    """

    rate: float | None
    albums: int
    seconds: float
    warm_up: float


class Measured(NamedTuple):
    """All that was measured.

    Attributes:
        drained: messages a second of the drain, if there was one.
        rate: messages a second that were to be sent.
        late: seconds by which the latest message left after it was due.
        bounded: rows whose commit is known from above only, by that of a correction.
        cpu: seconds by process, from the first message until all that it caused was done.
        others: cores that other programs kept busy meanwhile.
        flush: seconds that PostgreSQL waits for the disk at a commit, the mean.
    """

    drained: float | None
    rate: float
    late: float
    played: Played
    delays: list[Delay]
    bounded: int
    found: Found
    cpu: CpuSeconds
    loads: list[float]
    others: float
    flush: float
    kafka: str
    durability: dict[str, str]


async def measure(servers: Servers, plan: Plan, *, logs: Path, notify: Notify) -> Measured:
    """Drain a backlog for the rate if none is given, then time events that come in steadily.

    Raises:
        DrainError: a process ended, or did not come to an end.
    """
    drained = None if plan.rate is not None else await _drain_rate(servers, plan.albums, logs, notify)
    rate = plan.rate if plan.rate is not None else drained / 2 if drained else 0.0
    await _keep_commit_times(servers)
    messages = rate * (plan.warm_up + plan.seconds)
    backlog = make_backlog(max(1, math.ceil(messages / _MESSAGES_AN_ALBUM)))
    async with new_installation(servers, "latency") as installation:
        await settle_disk(servers.postgres)
        notify(f"Sending {len(backlog.messages):,} messages, {rate:,.0f} a second.")
        return await _measure_at(
            rate, servers, installation, backlog, warm_up=plan.warm_up, logs=logs, drained=drained
        )


async def _drain_rate(servers: Servers, albums: int, logs: Path, notify: Notify) -> float:
    async with new_installation(servers, "drain") as installation:
        played = await fill(make_backlog(albums), installation)
        await settle_disk(servers.postgres)
        drained = await drain(installation, played.messages, servers.pids(), logs)
        rate = played.messages / drained.settled
        notify(f"A drain: {rate:,.0f} messages a second.")
        return rate


async def _keep_commit_times(servers: Servers) -> None:
    for setting in ("track_commit_timestamp", "track_wal_io_timing"):
        await run_sql(servers.postgres.url, f"ALTER SYSTEM SET {setting} = on")
    await asyncio.to_thread(servers.postgres.restart)


async def _measure_at(
    rate: float,
    servers: Servers,
    installation: Installation,
    backlog: Backlog,
    *,
    warm_up: float,
    logs: Path,
    drained: float | None,
) -> Measured:
    loads = [load()]
    database = await asyncpg.connect(installation.database_url)
    watch = await GroupWatch.connect(installation.bootstrap)
    sending = Sending(installation.bootstrap, installation.topics.entity_events.name, backlog.messages, rate)
    try:
        with ExitStack() as stack:
            sender = stack.enter_context(forked("The sender", send_steadily, sending))
            observer = stack.enter_context(forked("The observer", observe, installation))
            await sender.answer()
            await observer.answer()
            migration_consumer = stack.enter_context(running("migration-consumer", installation, logs))
            await until(
                lambda: watch.has_members(installation.migration_group), [migration_consumer], _START_SECONDS
            )
            consumer = stack.enter_context(running("consumer", installation, logs))
            processes = [consumer, migration_consumer]
            await until(lambda: is_reading(consumer), processes, _START_SECONDS)
            pids = {
                "consumer": consumer.pid,
                "migration-consumer": migration_consumer.pid,
                **servers.pids(),
                "sender": sender.pid,
                "observer": observer.pid,
            }
            before, others = cpu_seconds(pids), OtherPrograms.watched()
            sender.send("go")
            sent = await sender.answer()
            messages = len(backlog.messages)
            await settle(installation, messages, processes, watch=watch, database=database)
            spent = cpu_spent(before, cpu_seconds(pids))
            other_cores = others.cores(sum(spent.values()))
            loads.append(load())
            observer.send("end")
            arrivals = await observer.answer()
            sender.send("end")
            observer.send("end")
        found = await inspect(installation, backlog)
        committed = await committed_rows(database)
        return Measured(
            drained=drained,
            rate=rate,
            late=sent.late,
            played=Played.of(backlog.messages),
            delays=list(delays(backlog.messages, sent.times, committed.times, arrivals.times, warm_up)),
            bounded=committed.later,
            found=found,
            cpu=spent,
            loads=loads,
            others=other_cores,
            flush=float(await database.fetchval(_FLUSHES)),
            kafka=servers.kafka.name,
            durability=await durability(servers.postgres),
        )
    finally:
        await watch.close()
        await database.close()
