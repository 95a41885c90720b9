"""Adoption of an existing log: the roots of all rows, worked out by a backfill that resumes where it was.

A worker in this process does the backfill, unless a migration consumer's worker is active: there is one at a
time. Corrections stay in the outbox until a migration consumer publishes them.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID, uuid4

import asyncpg

from llamalog_schemas.backfills import RunStatus
from llamalog_schemas.commands import BackfillRootsData, ResumeBackfill, RunRequestData
from llamalog_service.adoption.migration_check import MigrationCheck
from llamalog_service.adoption.migration_runner import check_migration
from llamalog_service.backfill.backfill_store import BackfillStore
from llamalog_service.backfill.recomputes import RecomputeQueue
from llamalog_service.backfill.worker import POLL_SECONDS, Worker, recompute_tasks
from llamalog_service.domain.errors import LlamalogError
from llamalog_service.postgres.locks import WorkerLock
from llamalog_service.postgres.reader import Reader
from llamalog_service.queries.backfills import (
    Adoption,
    BackfillRun,
    read_adoption,
    read_backfill,
    read_backfills,
)
from llamalog_service.retry import retry_until_available

_FOLLOW_SECONDS = 0.3
_MAX_OPEN_RUNS = 1000
_SOURCE = "/llamalog/adopt"


class OtherExpectationError(LlamalogError):
    """The current adoption was begun with another expectation."""

    def __init__(self, run: UUID) -> None:
        super().__init__(
            f"The adoption {run} is under way and was begun with another --expect. Nothing was done. Give "
            f"the same one, and it resumes; `llamalog backfill show {run} --json` has it."
        )


class OtherRunPausedError(LlamalogError):
    """Another backfill was begun and is paused; a new one would wait for its end."""

    def __init__(self, run: UUID) -> None:
        super().__init__(
            f"The backfill {run} was begun and is paused; another one has to wait for its end. No root was "
            f"written. Resume it (`llamalog backfill resume {run}`) or end it (`llamalog backfill cancel "
            f"{run}`), and run the same command again."
        )


class AdoptionState(NamedTuple):
    """The state of a database that is to be adopted.

    Attributes:
        check: of its table, with the steps of the migration that are pending.
        adoption: of its roots; None before the table is migrated.
    """

    check: MigrationCheck
    adoption: Adoption | None


async def inspect_adoption(database_url: str, reader: Reader, *, compat_view: bool = False) -> AdoptionState:
    """Read the state of a database without changing it.

    Args:
        reader: of the same database; used once the table is migrated.

    Raises:
        LlamalogError: the database cannot be reached, or is of a newer version.
        UnavailableError: PostgreSQL is away.
    """
    check = await check_migration(database_url, compat_view=compat_view)
    return AdoptionState(check, await read_adoption(reader) if check.is_migrated else None)


async def adopt_roots(
    pool: asyncpg.Pool,
    planning_pool: asyncpg.Pool,
    request: BackfillRootsData,
    show: Callable[[BackfillRun], None],
) -> BackfillRun:
    """Work out all roots, or resume an earlier call's run; waits while PostgreSQL is away.

    Args:
        planning_pool: its connections plan every statement anew.
        show: called with the run's row every few tenths of a second, and with its end.

    Raises:
        OtherExpectationError: the current run was begun with another expectation.
        OtherRunPausedError: another backfill was begun and is paused.
    """
    reader = Reader(pool)
    async with _worker(pool, planning_pool) as working:
        run = await retry_until_available(
            lambda: _begin(reader, BackfillStore(pool), request), doing="beginning the backfill of the roots"
        )
        following = asyncio.create_task(_follow(reader, run, show))
        try:
            await asyncio.wait({working, following}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
            return await following
        finally:
            following.cancel()


@asynccontextmanager
async def _worker(pool: asyncpg.Pool, planning_pool: asyncpg.Pool) -> AsyncIterator[asyncio.Task[None]]:
    """A worker without sweeps: nothing may change before the plan meets the expectation."""
    tasks = recompute_tasks(pool, planning_pool)
    worker = Worker(lock=WorkerLock(pool), queue=RecomputeQueue(pool), tasks=tasks, poll_every=POLL_SECONDS)
    working = asyncio.create_task(worker.run())
    try:
        yield working
    finally:
        working.cancel()
        await asyncio.wait({working})


async def _begin(reader: Reader, backfills: BackfillStore, request: BackfillRootsData) -> UUID:
    """The current run, resumed if it was paused; else a new one."""
    begun = None if request.dry_run else (await read_adoption(reader)).under_way
    if begun is None:
        await _require_no_paused_run(reader)
        run = uuid4()
        await backfills.enqueue(run, request)
        return run
    if begun.request.expected != request.expected:
        raise OtherExpectationError(begun.run)
    if begun.status is RunStatus.PAUSED or begun.requested_action == "pause":
        data = RunRequestData(run=begun.run, requested_by=request.requested_by)
        now = datetime.now(UTC)
        await backfills.apply(
            [ResumeBackfill(id=str(uuid4()), source=_SOURCE, time=now, specversion="1.0", data=data)]
        )
    return begun.run


async def _require_no_paused_run(reader: Reader) -> None:
    for other in await read_backfills(reader, _MAX_OPEN_RUNS, only_open=True):
        if other.status is RunStatus.PAUSED and other.started_at is not None:
            raise OtherRunPausedError(other.run)


async def _follow(reader: Reader, run: UUID, show: Callable[[BackfillRun], None]) -> BackfillRun:
    while True:
        found = await retry_until_available(
            lambda: read_backfill(reader, run), doing="reading the progress of the backfill of the roots"
        )
        if found is not None:
            show(found)
            if found.has_ended:
                return found
        await asyncio.sleep(_FOLLOW_SECONDS)
