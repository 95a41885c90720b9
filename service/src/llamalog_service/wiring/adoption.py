"""The adoption of a database: looked at, and its roots worked out by a worker of this process."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID, uuid4

from llamalog_schemas.backfills import RunStatus
from llamalog_schemas.commands import BackfillRootsData, ResumeBackfill, RunRequestData
from llamalog_service.domain.errors import LlamalogError
from llamalog_service.queries.adoption import Adoption, read_adoption
from llamalog_service.queries.backfills import BackfillRun, read_backfill
from llamalog_service.settings import DatabaseSettings
from llamalog_service.store.backfills import BackfillStore
from llamalog_service.store.reader import Reader
from llamalog_service.waiting import when_available
from llamalog_service.wiring.backfills import open_backfills
from llamalog_service.wiring.connections import open_pool

_LOOK_SECONDS = 0.3
_SOURCE = "/llamalog/adopt"


class OtherExpectationError(LlamalogError):
    """The adoption that is under way was begun with other expectations."""

    def __init__(self, run: UUID) -> None:
        super().__init__(
            f"The adoption {run} is under way and was begun with another --expect. Nothing was done. Give the "
            f"same one, and it goes on; `llamalog backfill show {run} --json` has it."
        )


class Found(NamedTuple):
    """What stands in a database that is to be adopted.

    Attributes:
        steps: of the migration that are still to come.
        adoption: how far it is; None before the table is migrated.
    """

    steps: Sequence[object]
    adoption: Adoption | None


async def adopt_roots(
    settings: DatabaseSettings, asked: BackfillRootsData, show: Callable[[BackfillRun], None]
) -> BackfillRun:
    """Work out all roots, or go on with what an earlier call began; waits while PostgreSQL is away.

    Where a migration consumer runs, that does the work: there is one worker at a time.

    Args:
        show: gets the run's row now and then, and as it ended.

    Raises:
        OtherExpectationError: what is under way was begun with another expectation.
    """
    async with open_pool(settings, name="llamalog adopt") as pool:
        reader, backfills = Reader(pool), BackfillStore(pool)
        run = await when_available(
            lambda: _begin(reader, backfills, asked), doing="beginning the backfill of the roots"
        )
        async with asyncio.TaskGroup() as tasks:
            ...


async def _begin(reader: Reader, backfills: BackfillStore, asked: BackfillRootsData) -> UUID:
    """The run that is under way already, made to go on if it was paused; else a new one."""
    begun = None if asked.dry_run else (await read_adoption(reader)).under_way
    if begun is None:
        run = uuid4()
        await backfills.enqueue(run, asked)
        return run
    if begun.request.expected != asked.expected:
        raise OtherExpectationError(begun.run)
    if begun.status is RunStatus.PAUSED or begun.wish == "pause":
        data = RunRequestData(run=begun.run, requested_by=asked.requested_by)
        await backfills.heed(
            [ResumeBackfill(id=str(uuid4()), source=_SOURCE, time=datetime.now(UTC), specversion="1.0", data=data)]
        )
    return begun.run


async def _follow(reader: Reader, run: UUID, show: Callable[[BackfillRun], None]) -> BackfillRun:
    while True:
        found = await when_available(
            lambda: read_backfill(reader, run), doing="looking how far the backfill of the roots is"
        )
        if found is not None:
            show(found)
            if found.has_ended:
                return found
        await asyncio.sleep(_LOOK_SECONDS)
