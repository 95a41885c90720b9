"""Backfills as rows of `backfill_runs`: requested, claimed, paused, ended, with their progress."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
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

ACTIONS: Final[Mapping[type[RunRequest], str]] = {
    PauseBackfill: "pause",
    ResumeBackfill: "resume",
    CancelBackfill: "cancel",
}
"""What may be requested of an existing run."""


class Backfill(NamedTuple):
    """A backfill and its progress.

    Attributes:
        requested_action: "pause" or "cancel", to be applied at the next batch.
        plan: the counts of its plan, None before there is one.
        to_set: planned rows that differed from the plan.
        resume_at: the position in the plan of the last row scanned.
        scanned: planned rows scanned, those that were right from the start included.
        batch_size: rows of the next batch, None before the first.
        set_by_verification: rows changed after the batches.
    """

    id: UUID
    status: RunStatus
    phase: BackfillPhase
    requested_action: str | None
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
    set_by_verification: int
    rows_per_second: float
    error: str | None
    report: BackfillReport | None


class BackfillStore:
    """All backfills; every method raises UnavailableError if PostgreSQL is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def enqueue(self, run: UUID, request: BackfillRootsData) -> None:
        """Add a backfill; one that is known by its id, done or not, is left alone."""
        await self._execute("backfill_enqueue", run, msgspec.to_builtins(request), request.requested_by)

    async def apply(self, commands: Sequence[BackfillRoots | RunRequest]) -> None:
        """Add backfills and apply requested actions, each once, in their order, in one transaction."""
        async with self._pool.acquire() as connection, connection.transaction():
            for command in commands:
                if isinstance(command, BackfillRoots):
                    request = command.data
                    values = (UUID(command.id), msgspec.to_builtins(request), request.requested_by)
                    await connection.execute(sql("backfill_enqueue"), *values)
                else:
                    action, data = ACTIONS[type(command)], command.data
                    await connection.execute(
                        sql("backfill_apply_action"), UUID(command.id), data.run, action, data.requested_by
                    )

    async def claim(self) -> Backfill | None:
        """Claim the next backfill, if there is one; only the one worker may call this."""
        run = await self._pool.fetchval(sql("backfill_claim"))
        return await self.find(run) if run is not None else None

    async def find(self, run: UUID) -> Backfill | None:
        """A backfill; None if there is none of that id."""
        record = await self._pool.fetchrow(sql("backfill_run"), run)
        return _backfill(record) if record is not None else None

    async def unpublished(self, since: tuple[datetime, UUID], limit: int) -> list[Backfill]:
        """Those whose end is not published, and open ones that changed after another: the first so many.

        Args:
            since: when the other changed, and its id.
        """
        records = await self._pool.fetch(sql("backfill_unpublished"), *since, limit)
        return [_backfill(record) for record in records]

    async def mark_published(self, run: UUID) -> None:
        """Mark the end of a backfill as published."""
        await self._execute("backfill_mark_published", run)

    async def any_running(self) -> bool:
        """Whether a backfill is running."""
        return bool(await self._pool.fetchval(sql("backfill_any_running")))

    async def requested_action(self, run: UUID) -> str | None:
        """The action requested of a backfill: "pause", "cancel" or None; "stop" if it is not running."""
        found = await self.find(run)
        return found.requested_action if found is not None and found.status is RunStatus.RUNNING else "stop"

    async def enter(self, run: UUID, phase: BackfillPhase) -> None:
        """Record that a backfill enters a phase."""
        await self._execute("backfill_phase", run, phase.value)

    async def note_plan(self, run: UUID, plan: RootCounts, to_set: int, right: RootCounts) -> bool:
        """Record the plan of a backfill; False if it is no longer planning.

        Args:
            right: the rows, by class, that are as planned already.
        """
        values = (msgspec.to_builtins(plan), to_set, right.rows, msgspec.to_builtins(right))
        return await self._pool.fetchval(sql("backfill_planned"), run, *values) is not None

    async def note_verified(self, run: UUID, rows: int) -> None:
        """Record rows changed by the verification."""
        await self._execute("backfill_note_verified", run, rows)

    async def note_locked(self, run: UUID, batch_size: int) -> None:
        """Record a lock time-out, and the size of the next batch."""
        await self._execute("backfill_note_lock_timeout", run, batch_size)

    async def pause(self, run: UUID) -> None:
        """Pause a running backfill whose pause is requested."""
        await self._execute("backfill_pause", run)

    async def end(
        self, run: UUID, status: RunStatus, *, error: str | None = None, report: BackfillReport | None = None
    ) -> None:
        """Record the end of a running backfill; one that has ended already is left alone."""
        content = msgspec.to_builtins(report) if report is not None else None
        await self._execute("backfill_end", run, status.value, error, content)

    async def _execute(self, name: str, *values: Any) -> None:
        await self._pool.execute(sql(name), *values)


def _backfill(record: Row) -> Backfill:
    plan, report = record["plan"], record["report"]
    values = {
        "id": UUID(bytes=record["id"].bytes),
        "status": RunStatus(record["status"]),
        "phase": BackfillPhase(record["phase"]),
        "requested_action": record["requested_action"],
        "request": msgspec.convert(record["request"], BackfillRootsData),
        "plan": None if plan is None else msgspec.convert(plan, RootCounts),
        "set": record["rows_set"],
        "by_class": msgspec.convert(record["by_class"] or {}, RootCounts),
        "set_by_verification": record["rows_changed"],
        "report": None if report is None else msgspec.convert(report, BackfillReport),
    }
    return Backfill(**values, **{name: record[name] for name in Backfill._fields if name not in values})
