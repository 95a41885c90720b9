"""A migration consumer that is killed in the middle of a backfill: the next one comes to the same end."""

import asyncio
from pathlib import Path
from random import Random, SystemRandom
from uuid import UUID, uuid4

import asyncpg
import pytest

from harness.backfills import forget_roots
from harness.log_table import differences, stored_rows
from harness.provenance import as_stored, believed
from harness.service import ServiceProcess
from harness.settled import wait_until_settled
from harness.topics import read_all
from harness.waiting import eventually
from harness.writers import KeptMessages, Writer
from histories import chains, event, override
from llamalog_schemas.backfills import BackfillEnded, BackfillEvent, RunStatus
from llamalog_schemas.codec import decode_backfill_event
from llamalog_schemas.commands import (
    BackfillRootsData,
    ExpectedCounts,
    MissingParent,
    PauseBackfill,
    ResumeBackfill,
    RunRequestData,
    WholeTable,
)
from llamalog_schemas.events import Event
from llamalog_service.backfill.backfill_store import Backfill, BackfillStore
from llamalog_service.domain.rows import StoredRow
from llamalog_service.kafka.clients import open_producer
from llamalog_service.kafka.publisher import EventPublisher, MessageProducer
from llamalog_service.kafka.topics import topics
from llamalog_service.settings import Settings

pytestmark = pytest.mark.apache_kafka

KILLS = 4


async def test_a_backfill_comes_to_the_same_end_however_often_its_worker_is_killed(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    seed = SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    dice = Random(seed)
    settings = settings.model_copy(update={"session_seconds": 1.5, "sweep_seconds": 3600.0})
    legacy: list[Event] = [
        *chains(3000),
        *(event(4000 + n, f"orphan-{n}", f"gone-{n % 5}") for n in range(50)),
    ]
    await Writer(pool, KeptMessages()).write(*legacy)
    await forget_roots(pool)
    store, run = BackfillStore(pool), uuid4()
    names = topics(settings.topic_prefix)

    migration_consumer = ServiceProcess("migration-consumer", settings, tmp_path)
    try:
        async with open_producer(settings) as producer:
            publisher = EventPublisher(MessageProducer(producer), names, source="/tests")
            requested = BackfillRootsData(
                scope=WholeTable(),
                requested_by="tests",
                missing_parent=MissingParent.ADOPT,
                batch_size=20,
                rate_limit=600,
                expected=ExpectedCounts(rows=3050, roots=1000, children=2000, adopted=50),
            )
            for _ in range(2):
                await publisher.request_backfill(run, requested)
            migration_consumer.start()
            for _ in range(KILLS):
                before = await seen(store, run)
                await eventually(lambda before=before: more_is_set(store, run, before), 60)  # type: ignore[misc]
                await asyncio.sleep(dice.random() * 0.2)
                migration_consumer.kill()
                migration_consumer.start()
            request = RunRequestData(run=run, requested_by="tests")
            await publisher.request_run_change(PauseBackfill, request)
            await eventually(lambda: has_status(store, run, RunStatus.PAUSED), 60)
            assert 0 < await seen(store, run) < 3050
            await eventually(lambda: pause_is_published(settings))
            await publisher.request_run_change(ResumeBackfill, request)
            await eventually(lambda: has_status(store, run, RunStatus.COMPLETED), 60)
        await wait_until_settled(settings, pool, is_ingesting=False)
        await eventually(lambda: is_published(pool, run))
        assert await migration_consumer.stop() == 0
    finally:
        migration_consumer.kill()

    done = await store.find(run)
    assert done is not None
    assert done.report is not None
    assert (done.set, done.report.end, done.report.adopted_jobs_found) == (3050, done.plan, 5)
    stored = await stored_rows(pool)
    assert {row.revision for row in stored.values()} == {2}
    adopted = [override(9000 + number, f"gone-{number}") for number in range(5)]
    assert differences(stored, [*legacy, *adopted]) == []
    await everything_is_published(settings, done, stored)


async def everything_is_published(settings: Settings, done: Backfill, stored: dict[UUID, StoredRow]) -> None:
    names = topics(settings.topic_prefix)
    records = await read_all(settings.kafka, names.provenance.name)
    assert believed(record.value for record in records) == as_stored(stored)
    events = await all_events(settings)
    assert {one.data.run for one in events} == {done.id}
    end = events[-1]
    assert isinstance(end, BackfillEnded)
    assert end.data.report == done.report


async def all_events(settings: Settings) -> list[BackfillEvent]:
    events = topics(settings.topic_prefix).backfill_events.name
    return [decode_backfill_event(record.value or b"") for record in await read_all(settings.kafka, events)]


async def pause_is_published(settings: Settings) -> bool:
    return RunStatus.PAUSED in {one.data.status for one in await all_events(settings)}


async def seen(store: BackfillStore, run: UUID) -> int:
    found = await store.find(run)
    return found.set if found is not None else 0


async def more_is_set(store: BackfillStore, run: UUID, before: int) -> bool:
    return await seen(store, run) > before


async def has_status(store: BackfillStore, run: UUID, status: RunStatus) -> bool:
    found = await store.find(run)
    return found is not None and found.status is status


async def is_published(pool: asyncpg.Pool, run: UUID) -> bool:
    return bool(await pool.fetchval("SELECT end_published FROM backfill_runs WHERE id = $1", run))
