"""Backfills as runs: asked for, taken, paused, ended; and how far each is."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import msgspec

from llamalog_schemas.backfills import BackfillPhase, BackfillReport, RootCounts, RunStatus
from llamalog_schemas.commands import (
    BackfillRoots,
    BackfillRootsData,
    CancelBackfill,
    PauseBackfill,
    ResumeBackfill,
    RunRequest,
)
from llamalog_service.postgres.statements import Row, sql

_WORDS: dict[type[RunRequest], str] = {
    PauseBackfill: "pause",
    ResumeBackfill: "resume",
    CancelBackfill: "cancel",
}


class Backfill(NamedTuple):
    """A backfill as it stands.

    Attributes:
        wish: "pause" or "cancel", what it is to do at its next batch.
        plan: the counts of its plan, None before there is one.
        to_set: planned rows that differed from the plan.
        resume_at: the position in the plan of the last row looked at.
        scanned: planned rows looked at, those that were right from the start included.
        batch_size: rows of the next batch, None before the first.
        set_again: rows changed when looking again.
    """

    id: UUID
    status: RunStatus
    phase: BackfillPhase
    wish: str | None
    request: BackfillRootsData
    requested_by: str
    requested_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    updated_at: datetime
    plan: RootCounts | None
    to_set: int
    resume_at: int
    scanned: int
    set: int
    by_class: RootCounts
    batch_size: int | None
    batches: int
    lock_timeouts: int
    set_again: int
    rows_per_second: float
    error: str | None
    report: BackfillReport | None


class BackfillStore:
    """All backfills; every method raises UnavailableError if PostgreSQL is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def enqueue(self, run: UUID, request: BackfillRootsData) -> None:
        """Keep a backfill as a run; one that is known already, done or not, is left alone."""
        await self._execute("backfill_enqueue", run, msgspec.to_builtins(request), request.requested_by)

    async def heed(self, commands: Sequence[BackfillRoots | RunRequest]) -> None:
        """Keep backfills, and heed requests about them, each once, in their order, all or none."""
        async with self._pool.acquire() as connection, connection.transaction():
            for command in commands:
                if isinstance(command, BackfillRoots):
                    request = command.data
                    values = (UUID(command.id), msgspec.to_builtins(request), request.requested_by)
                    await connection.execute(sql("backfill_enqueue"), *values)
                else:
                    word, data = _WORDS[type(command)], command.data
                    await connection.execute(
                        sql("backfill_heed"), UUID(command.id), data.run, word, data.requested_by
                    )

    async def claim(self) -> Backfill | None:
        """Take the backfill whose turn it is, if there is one; only the one worker may call this."""
        run = await self._pool.fetchval(sql("backfill_claim"))
        return await self.find(run) if run is not None else None

    async def find(self, run: UUID) -> Backfill | None:
        """A backfill as it stands, None if there is none of that id."""
        record = await self._pool.fetchrow(sql("backfill_run"), run)
        return _backfill(record) if record is not None else None

    async def latest(self, limit: int) -> list[Backfill]:
        """The backfills asked for last, the latest first."""
        records = await self._pool.fetch(sql("backfill_runs"), limit, False)
        return [_backfill(record) for record in records]

    async def untold(self, since: datetime) -> list[Backfill]:
        """Those whose end nobody was told of, and those not over that changed after `since`."""
        return [_backfill(record) for record in await self._pool.fetch(sql("backfill_untold"), since)]

    async def mark_told(self, run: UUID) -> None:
        """Note that the end of a backfill was told."""
        await self._execute("backfill_told", run)

    async def any_under_way(self) -> bool:
        """Whether a backfill is running."""
        return bool(await self._pool.fetchval(sql("backfill_under_way")))

    async def wish(self, run: UUID) -> str | None:
        """What a backfill under way is to do: "pause", "cancel" or None; "stop" if it is not under way."""
        found = await self.find(run)
        return found.wish if found is not None and found.status is RunStatus.RUNNING else "stop"

    async def enter(self, run: UUID, phase: BackfillPhase) -> None:
        """Note that a backfill has come to a phase."""
        await self._execute("backfill_phase", run, phase.value)

    async def note_plan(self, run: UUID, plan: RootCounts, to_set: int, right: RootCounts) -> bool:
        """Note the plan of a backfill; False if it is not waiting for one any more.

        Args:
            right: the rows, by class, that are as planned already.
        """
        values = (msgspec.to_builtins(plan), to_set, right.rows, msgspec.to_builtins(right))
        return await self._pool.fetchval(sql("backfill_planned"), run, *values) is not None

    async def note_set_again(self, run: UUID, rows: int) -> None:
        """Note rows changed when looking again."""
        await self._execute("backfill_set_again", run, rows)

    async def note_locked(self, run: UUID, batch_size: int) -> None:
        """Note a lock time-out, and with how many rows it goes on."""
        await self._execute("backfill_slower", run, batch_size)

    async def pause(self, run: UUID) -> None:
        """Pause a backfill under way that is to be paused."""
        await self._execute("backfill_pause", run)

    async def end(
        self, run: UUID, status: RunStatus, *, error: str | None = None, report: BackfillReport | None = None
    ) -> None:
        """Note how a backfill under way ended; one that has ended already is left alone."""
        told = msgspec.to_builtins(report) if report is not None else None
        await self._execute("backfill_end", run, status.value, error, told)

    async def _execute(self, name: str, *values: Any) -> None:
        await self._pool.execute(sql(name), *values)


def _backfill(record: Row) -> Backfill:
    by_class = record["by_class"] or {}
    return Backfill(
        id=UUID(bytes=record["id"].bytes),
        status=RunStatus(record["status"]),
        phase=BackfillPhase(record["phase"]),
        wish=record["wish"],
        request=msgspec.convert(record["request"], BackfillRootsData),
        requested_by=record["requested_by"],
        requested_at=record["requested_at"],
        started_at=record["started_at"],
        finished_at=record["finished_at"],
        updated_at=record["updated_at"],
        plan=msgspec.convert(record["plan"], RootCounts) if record["plan"] is not None else None,
        to_set=record["to_set"],
        resume_at=record["resume_at"],
        scanned=record["scanned"],
        set=record["rows_set"],
        by_class=msgspec.convert(by_class, RootCounts),
        batch_size=record["batch_size"],
        batches=record["batches"],
        lock_timeouts=record["lock_timeouts"],
        set_again=record["rows_changed"],
        rows_per_second=record["rows_per_second"],
        error=record["error"],
        report=msgspec.convert(record["report"], BackfillReport) if record["report"] is not None else None,
    )
