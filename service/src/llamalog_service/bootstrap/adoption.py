"""The adoption of a database: looked at, and its roots worked out by a worker of this process."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID, uuid4

from llamalog_schemas.backfills import RunStatus
from llamalog_schemas.commands import BackfillRootsData, ResumeBackfill, RunRequestData
from llamalog_service.adoption.migration_check import MigrationCheck
from llamalog_service.backfill.command_store import RunStore
from llamalog_service.backfill.run_store import BackfillStore
from llamalog_service.backfill.worker import Worker
from llamalog_service.bootstrap.backfills import open_backfills
from llamalog_service.bootstrap.database import check_database
from llamalog_service.bootstrap.periodic_tasks import POLL_SECONDS, repair_tasks
from llamalog_service.domain.errors import LlamalogError
from llamalog_service.postgres.pool import open_pool
from llamalog_service.postgres.statements import Reader
from llamalog_service.postgres.worker_lock import WorkerLock
from llamalog_service.queries.adoption import Adoption, read_adoption
from llamalog_service.queries.backfills import BackfillRun, read_backfill, read_backfills
from llamalog_service.retry import retry_until_available
from llamalog_service.settings import DatabaseSettings

_LOOK_SECONDS = 0.3
_OPEN_AT_MOST = 1000
_SOURCE = "/llamalog/adopt"


class OtherExpectationError(LlamalogError):
    """The adoption that is under way was begun with other expectations."""

    def __init__(self, run: UUID) -> None:
        super().__init__(
            f"The adoption {run} is under way and was begun with another --expect. Nothing was done. Give "
            f"the same one, and it goes on; `llamalog backfill show {run} --json` has it."
        )


class OtherRunPausedError(LlamalogError):
    """Another backfill was begun and is paused, and this one would wait for its end."""

    def __init__(self, run: UUID) -> None:
        super().__init__(
            f"The backfill {run} was begun and is paused; another one has to wait for its end. No root was "
            f"written. Let it go on (`llamalog backfill resume {run}`) or end it (`llamalog backfill cancel "
            f"{run}`), and run the same command again."
        )


class Found(NamedTuple):
    """What stands in a database that is to be adopted.

    Attributes:
        check: of its table, with the steps of the migration that are still to come.
        adoption: of its roots; None before the table is migrated.
    """

    check: MigrationCheck
    adoption: Adoption | None


async def look_at_database(settings: DatabaseSettings, *, compat_view: bool = False) -> Found:
    """What stands and what is left to be done; changes nothing.

    Raises:
        StoreError: what is wrong and what to do.
        UnavailableError: PostgreSQL is away.
    """
    check = await check_database(settings, compat_view=compat_view)
    if not check.is_migrated:
        return Found(check, None)
    async with open_backfills(settings) as reader:
        return Found(check, await read_adoption(reader))


async def adopt_roots(
    settings: DatabaseSettings, asked: BackfillRootsData, show: Callable[[BackfillRun], None]
) -> BackfillRun:
    """Work out all roots, or go on with what an earlier call began; waits while PostgreSQL is away.

    Where a migration consumer runs, that does the work: there is one worker at a time.

    Args:
        show: gets the run's row now and then, and as it ended.

    Raises:
        OtherExpectationError: what is under way was begun with another expectation.
        OtherRunPausedError: another backfill is in the way.
    """
    async with open_pool(settings, name="llamalog adopt") as pool, _working(settings) as working:
        reader, backfills = Reader(pool), BackfillStore(pool)
        run = await retry_until_available(
            lambda: _begin(reader, backfills, asked), doing="beginning the backfill of the roots"
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
async def _working(settings: DatabaseSettings) -> AsyncIterator[asyncio.Task[None]]:
    """A worker that tells nobody what it corrects: the outbox keeps that for a migration consumer.

    It does not sweep: nothing is to be changed before the plan is as expected.
    """
    async with (
        open_pool(settings, name="llamalog adopt, worker") as pool,
        open_pool(settings, name="llamalog adopt, planning", keep_plans=False) as planning_pool,
    ):
        tasks = repair_tasks(pool, planning_pool)
        worker = Worker(lock=WorkerLock(pool), runs=RunStore(pool), tasks=tasks, poll_every=POLL_SECONDS)
        working = asyncio.create_task(worker.run())
        try:
            yield working
        finally:
            working.cancel()
            await asyncio.wait({working})


async def _begin(reader: Reader, backfills: BackfillStore, asked: BackfillRootsData) -> UUID:
    """The run that is under way already, made to go on if it was paused; else a new one."""
    begun = None if asked.dry_run else (await read_adoption(reader)).under_way
    if begun is None:
        await _refuse_behind_a_paused_one(reader)
        run = uuid4()
        await backfills.enqueue(run, asked)
        return run
    if begun.request.expected != asked.expected:
        raise OtherExpectationError(begun.run)
    if begun.status is RunStatus.PAUSED or begun.wish == "pause":
        data = RunRequestData(run=begun.run, requested_by=asked.requested_by)
        now = datetime.now(UTC)
        await backfills.heed(
            [ResumeBackfill(id=str(uuid4()), source=_SOURCE, time=now, specversion="1.0", data=data)]
        )
    return begun.run


async def _refuse_behind_a_paused_one(reader: Reader) -> None:
    for other in await read_backfills(reader, _OPEN_AT_MOST, only_open=True):
        if other.status is RunStatus.PAUSED and other.started_at is not None:
            raise OtherRunPausedError(other.run)


async def _follow(reader: Reader, run: UUID, show: Callable[[BackfillRun], None]) -> BackfillRun:
    while True:
        found = await retry_until_available(
            lambda: read_backfill(reader, run), doing="looking how far the backfill of the roots is"
        )
        if found is not None:
            show(found)
            if found.has_ended:
                return found
        await asyncio.sleep(_LOOK_SECONDS)
