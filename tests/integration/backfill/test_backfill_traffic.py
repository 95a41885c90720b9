"""Backfills under live traffic, by the one worker that does recomputes beside them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from uuid import UUID, uuid4

import asyncpg
import pytest
from pydantic import SecretStr

from harness.backfills import Backfills, forget_roots
from harness.log_table import differences, stored_rows
from harness.provenance import as_stored
from harness.waiting import eventually
from harness.writers import NAMES, KeptMessages, Recomputer, Writer
from histories import chains, event, override
from llamalog_schemas.backfills import BackfillEnded, BackfillProgressed, RunStatus
from llamalog_schemas.codec import decode_backfill_event
from llamalog_schemas.commands import MissingParent
from llamalog_schemas.events import Event
from llamalog_service.backfill.recomputes import QueuedRecompute, RecomputeQueue
from llamalog_service.backfill.worker import Worker, publish_tasks, recompute_tasks, sweep_task
from llamalog_service.kafka.publisher import EventPublisher
from llamalog_service.postgres.locks import WORKER_LOCK, WorkerLock
from llamalog_service.postgres.pool import create_pool
from llamalog_service.settings import Settings


@pytest.fixture
async def wide_pool(database_url: str) -> AsyncIterator[asyncpg.Pool]:
    async with create_pool(database_url, min_size=0, max_size=12) as pool:
        yield pool


@pytest.fixture
def unhurried(database_url: str) -> Settings:
    """Settings under which no sweep comes to anybody's help."""
    return Settings(
        database_url=SecretStr(database_url),
        kafka="nowhere:1",
        sweep_seconds=3600.0,
        full_sweep_seconds=3600.0,
    )


@asynccontextmanager
async def working(settings: Settings, pool: asyncpg.Pool, kept: KeptMessages) -> AsyncIterator[Worker]:
    """The one worker, its voice kept rather than sent."""
    event_publisher = EventPublisher(kept, NAMES, source="/tests")
    worker = Worker(
        lock=WorkerLock(pool),
        queue=RecomputeQueue(pool),
        tasks=[
            *recompute_tasks(pool, pool),
            sweep_task(pool, every=settings.sweep_seconds, full_every=settings.full_sweep_seconds),
            *publish_tasks(pool, event_publisher),
        ],
        poll_every=0.05,
    )
    task = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        task.cancel()
        await asyncio.wait([task])


def traffic(seed: int) -> list[Event]:
    """Children of the rows that stand, late parents of some, new roots, claims that close rings."""
    dice = Random(seed)
    events: list[Event] = []
    for number in range(1000, 1240):
        old = 1 + 3 * dice.randrange(100)
        match dice.randrange(6):
            case 0:
                events.append(event(number, f"new-{number}", f"grandchild-{old}"))
            case 1:
                events.append(event(number, f"missing-{dice.randrange(20)}", f"root-{old}"))
            case 2:
                events.append(event(number, f"missing-{dice.randrange(20)}"))
            case 3:
                events.append(event(number, f"new-{number}", f"new-{number - dice.randrange(1, 20)}"))
            case 4:
                events.append(event(number, f"root-{old}", f"above-{dice.randrange(10)}"))
            case _:
                events.append(event(number, f"root-{old}", f"grandchild-{old}", at=dice.randrange(5000)))
    return events


@pytest.mark.parametrize("missing_parent", MissingParent)
@pytest.mark.parametrize("seed", range(3))
async def test_what_a_backfill_under_live_traffic_leaves_is_the_fold(
    wide_pool: asyncpg.Pool, unhurried: Settings, seed: int, missing_parent: MissingParent
) -> None:
    legacy: list[Event] = [*chains(300), *(event(400 + n, f"waits-{n}", f"missing-{n}") for n in range(20))]
    kept, backfills = KeptMessages(), Backfills(wide_pool)
    await Writer(wide_pool, kept).write(*legacy)
    await forget_roots(wide_pool)
    live = traffic(seed)
    async with working(unhurried, wide_pool, kept) as worker:
        run = await backfills.request(batch_size=3, missing_parent=missing_parent)
        await write_and_command(wide_pool, kept, worker, live)
        await eventually(lambda: is_over(backfills, run))
        await everything_is_repaired(wide_pool)
    done = await backfills.look(run)
    assert done.status is RunStatus.COMPLETED, done.error
    assert done.report is not None
    assert done.report.plan.rows >= 320
    await Recomputer(wide_pool, kept).settle()
    stored = await stored_rows(wide_pool)
    adopted = await wide_pool.fetch("SELECT job_id FROM root_overrides")
    overrides = [override(5000 + number, record["job_id"]) for number, record in enumerate(adopted)]
    assert differences(stored, [*legacy, *live, *overrides]) == []
    assert kept.provenance == as_stored(stored)


async def test_a_late_parent_is_repaired_while_a_long_backfill_is_under_way(
    wide_pool: asyncpg.Pool, unhurried: Settings
) -> None:
    kept, backfills = KeptMessages(), Backfills(wide_pool)
    legacy = chains(600)
    await Writer(wide_pool, kept).write(*legacy)
    await forget_roots(wide_pool)
    await Writer(wide_pool, kept).write(event(2000, "early", "late"))
    async with working(unhurried, wide_pool, kept) as worker:
        run = await backfills.request(batch_size=1, rate_limit=2)  # five minutes

        async def is_writing() -> bool:
            return (await backfills.look(run)).set > 0

        await eventually(is_writing)
        await Writer(wide_pool, kept).write(event(2001, "late"))
        await enqueue(wide_pool, kept)
        worker.wake()

        async def is_repaired_and_published() -> bool:
            rows = await stored_rows(wide_pool)
            published = {record.job_id: record.root_job_id for record in kept.provenance.values()}
            return rows[UUID(int=2000)].root.root_job_id == "late" == published["early"]

        await eventually(is_repaired_and_published)
        found = await backfills.look(run)
        assert (found.status, found.scanned < 300) == (RunStatus.RUNNING, True)

        await backfills.cancel(run)
        await eventually(lambda: is_over(backfills, run))
    assert (await backfills.look(run)).status is RunStatus.CANCELLED


async def test_progress_and_end_are_published_under_the_id_of_the_run(
    wide_pool: asyncpg.Pool, unhurried: Settings
) -> None:
    kept, backfills = KeptMessages(), Backfills(wide_pool)
    await Writer(wide_pool, kept).write(*chains(30))
    await forget_roots(wide_pool)
    async with working(unhurried, wide_pool, kept):
        run = await backfills.request(batch_size=5, rate_limit=10)

        async def end_is_published() -> bool:
            return bool(
                await wide_pool.fetchval("SELECT end_published FROM backfill_runs WHERE id = $1", run)
            )

        await eventually(end_is_published)
    messages = kept.by_topic[NAMES.backfill_events.name]
    assert {message.key for message in messages} == {str(run).encode()}
    *progress, end = [decode_backfill_event(message.value or b"") for message in messages]
    assert any(isinstance(message, BackfillProgressed) and 0 < message.data.set_ < 30 for message in progress)
    assert isinstance(end, BackfillEnded)
    assert (end.data.status, end.data.set_, end.data.rows) == (RunStatus.COMPLETED, 30, 30)
    assert end.data.report == (await backfills.look(run)).report


async def test_an_end_that_could_not_be_published_is_published_once_kafka_is_back(
    wide_pool: asyncpg.Pool, unhurried: Settings
) -> None:
    backfills = Backfills(wide_pool)
    run = await backfills.request()
    away = KeptMessages(is_away=lambda: True)
    async with working(unhurried, wide_pool, away):
        await eventually(lambda: is_over(backfills, run))
    assert away.by_topic == {}
    kept = KeptMessages()
    async with working(unhurried, wide_pool, kept):

        async def is_published() -> bool:
            return NAMES.backfill_events.name in kept.by_topic

        await eventually(is_published)
    (message,) = kept.by_topic[NAMES.backfill_events.name]
    assert isinstance(decode_backfill_event(message.value or b""), BackfillEnded)


async def test_a_worker_whose_session_is_ended_takes_over_again_and_goes_on(
    wide_pool: asyncpg.Pool, unhurried: Settings
) -> None:
    kept, backfills = KeptMessages(), Backfills(wide_pool)
    legacy = chains(60)
    await Writer(wide_pool, kept).write(*legacy)
    await forget_roots(wide_pool)
    async with working(unhurried, wide_pool, kept):
        run = await backfills.request(batch_size=5, rate_limit=20)

        async def is_writing() -> bool:
            return (await backfills.look(run)).set > 0

        await eventually(is_writing)
        await wide_pool.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = $1",
            WORKER_LOCK,
        )
        await eventually(lambda: is_over(backfills, run))
    done = await backfills.look(run)
    assert (done.status, done.set) == (RunStatus.COMPLETED, 60)
    assert differences(await stored_rows(wide_pool), legacy) == []


async def write_and_command(
    pool: asyncpg.Pool, kept: KeptMessages, worker: Worker, live: list[Event]
) -> None:
    """Ingest small batches, each of whose commands becomes runs at once, as the consumers do."""
    writer = Writer(pool, kept)
    for start in range(0, len(live), 4):
        await writer.write(*live[start : start + 4])
        await enqueue(pool, kept)
        worker.wake()


async def enqueue(pool: asyncpg.Pool, kept: KeptMessages) -> None:
    await RecomputeQueue(pool).enqueue(
        [QueuedRecompute(uuid4(), jobs, "root-disagrees") for jobs in kept.take_commands()]
    )


async def is_over(backfills: Backfills, run: UUID) -> bool:
    return (await backfills.look(run)).finished_at is not None


async def everything_is_repaired(pool: asyncpg.Pool) -> None:
    async def nothing_is_open() -> bool:
        return not await pool.fetchval(
            "SELECT EXISTS (SELECT FROM backfill_runs WHERE status IN ('queued', 'running'))"
        )

    await eventually(nothing_is_open)
