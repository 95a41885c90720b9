"""A run followed on the topic of events, and read from its row where the topic is silent."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from llamalog_schemas.backfills import (
    BackfillEndedData,
    BackfillPhase,
    BackfillProgressedData,
    RootCounts,
    RunStatus,
)
from llamalog_schemas.commands import BackfillRootsData, MissingParent, OneRoot
from llamalog_service.backfill.following import UnknownRunError
from llamalog_service.bootstrap.backfills import follow_backfill
from llamalog_service.kafka.clients import MessageToSend, open_producer
from llamalog_service.kafka.publisher import EventPublisher, MessageProducer
from llamalog_service.kafka.topics import topics
from llamalog_service.postgres.reader import Reader
from llamalog_service.queries.backfills import BackfillRun, BackfillState, read_backfill, read_backfills
from llamalog_service.settings import Settings

_INSERT = """
    INSERT INTO backfill_runs (id, kind, jobs, reason, status, requested_by, request, plan, scanned, rows_set)
    VALUES ($1, 'backfill-roots', '{}', 'requested', $2, 'ada', $3, $4, 10, 4)
"""
REQUEST = {
    "scope": {"kind": "root", "rootJobId": "album-1"},
    "requestedBy": "ada",
    "missingParent": "adopt",
}


def state_of(run: UUID, status: RunStatus, scanned: int) -> dict[str, Any]:
    return {
        "run": run,
        "status": status,
        "phase": BackfillPhase.WRITING,
        "requested_by": "ada",
        "dry_run": False,
        "rows": 10,
        "scanned": scanned,
        "set_": scanned,
        "left": 0,
        "by_class": RootCounts(roots=scanned),
        "rows_per_second": 5.0,
    }


def progress(run: UUID, scanned: int) -> BackfillProgressedData:
    return BackfillProgressedData(**state_of(run, RunStatus.RUNNING, scanned))


@pytest.fixture
async def publisher(settings: Settings) -> AsyncIterator[MessageProducer]:
    async with open_producer(settings) as producer:
        yield MessageProducer(producer)


@pytest.fixture
def event_publisher(settings: Settings, publisher: MessageProducer) -> EventPublisher:
    return EventPublisher(publisher, topics(settings.topic_prefix), source="/tests")


async def keep(pool: asyncpg.Pool, run: UUID, status: str) -> None:
    await pool.execute(_INSERT, run, status, REQUEST, {"roots": 7, "children": 3})


async def test_the_events_of_a_run_are_shown_in_order_up_to_its_end(
    settings: Settings, event_publisher: EventPublisher, publisher: MessageProducer
) -> None:
    run, other = uuid4(), uuid4()
    topic = topics(settings.topic_prefix).backfill_events.name
    await publisher.send(topic, [MessageToSend(str(run).encode(), b'{"of": "a later version"}', [])])
    for scanned in (0, 5, 10):
        await event_publisher.publish_backfill_progress(progress(run, scanned))
        await event_publisher.publish_backfill_progress(progress(other, 99))
    await event_publisher.publish_backfill_end(BackfillEndedData(**state_of(run, RunStatus.CANCELLED, 10)))
    await event_publisher.publish_backfill_end(BackfillEndedData(**state_of(run, RunStatus.COMPLETED, 11)))
    shown: list[BackfillState] = []

    end = await follow_backfill(settings, run, shown.append, timeout=10)

    assert [state.scanned for state in shown] == [0, 5, 10, 10]
    assert end.status is RunStatus.CANCELLED


async def test_where_the_topic_lacks_a_runs_end_its_row_has_it(
    settings: Settings, pool: asyncpg.Pool, event_publisher: EventPublisher
) -> None:
    run = uuid4()
    await keep(pool, run, "failed")
    await event_publisher.publish_backfill_progress(progress(run, 5))
    shown: list[BackfillState] = []

    end = await follow_backfill(settings, run, shown.append, timeout=10)

    assert isinstance(end, BackfillRun)
    assert (end.status, shown[-1]) == (RunStatus.FAILED, end)
    assert [state.scanned for state in shown] == [5, 10]


async def test_an_unknown_run_is_waited_for_so_long_only(settings: Settings) -> None:
    with pytest.raises(UnknownRunError, match="no event of it came within 1 s"):
        await follow_backfill(settings, uuid4(), lambda _: None, timeout=1)


async def test_a_runs_row_has_what_was_requested_and_how_far_it_is(pool: asyncpg.Pool) -> None:
    run = uuid4()
    await keep(pool, run, "running")
    found = await read_backfill(Reader(pool), run)
    assert found is not None
    assert found.request == BackfillRootsData(
        scope=OneRoot(root_job_id="album-1"), requested_by="ada", missing_parent=MissingParent.ADOPT
    )
    assert (found.rows, found.scanned, found.set_, found.left) == (10, 10, 4, 6)
    assert not found.has_ended


async def test_the_newest_backfills_come_first_and_repairs_are_none(pool: asyncpg.Pool) -> None:
    reader, runs = Reader(pool), [uuid4() for _ in range(3)]
    for run, status in zip(runs, ("paused", "completed", "queued"), strict=True):
        await keep(pool, run, status)
    await pool.execute(
        "INSERT INTO backfill_runs (id, kind, jobs, reason, status) "
        "VALUES (gen_random_uuid(), 'recompute-roots', '{a}', 'requested', 'queued')"
    )
    assert [found.run for found in await read_backfills(reader, 2)] == [runs[2], runs[1]]
    assert [found.run for found in await read_backfills(reader, 9, only_open=True)] == [runs[2], runs[0]]
