"""The plan written to the log in batches, each a short transaction that records the run's progress too."""

from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from llamalog_schemas.provenance import Origin
from llamalog_service.backfill.plan_store import CLASSES
from llamalog_service.domain.overrides import RootOverride
from llamalog_service.log.corrections import Cause, CauseKind, begin_correction
from llamalog_service.log.overrides import insert_root_overrides
from llamalog_service.log.recompute import BY_INDEX, LOCK_TIMEOUT_SECONDS, ROOT_DIFFERS, ROOTS
from llamalog_service.log.row_writes import RowWrite, write_rows
from llamalog_service.postgres.statements import Row, sql

DEFAULT_BATCH = 2000
"""Rows of the first transaction unless the command says otherwise."""
_LARGEST_BATCH = 10_000
_BATCH_SECONDS = 0.25
"""Larger batches are written as long as one takes no longer: each waits for the disk once."""


_PLANNED = RowWrite(
    "root",
    "plan_rows",
    "plan_apply",
    undone=f"l.revision = w.revision OR l.revision = w.revision + 1 AND {ROOT_DIFFERS}",
    aim=ROOTS.aim,
    most=None,
)


class BatchSizer:
    """The size of batches: halved by a lock time-out, grown by quarters; and the rest between them.

    Args:
        largest: most rows of a batch; None: as many as are written in a quarter of a second.
        size: rows of the first batch, as an interrupted run had them.
        rate: most rows a second; None: no limit.
        clock: monotonic seconds.
    """

    def __init__(
        self, *, largest: int | None, size: int | None, rate: int | None, clock: Callable[[], float]
    ) -> None:
        self._is_timed = largest is None
        self._largest = largest or _LARGEST_BATCH
        if rate is not None:
            self._largest = min(self._largest, rate)  # about a batch a second at least
        self.size = min(size or largest or DEFAULT_BATCH, self._largest)
        self._rate = rate
        self._clock = clock
        self._began = self._batch_began = clock()
        self._rows = 0

    def begin_batch(self) -> None:
        """Time a batch from now on."""
        self._batch_began = self._clock()

    @property
    def is_smallest(self) -> bool:
        """Whether a batch cannot shrink any more."""
        return self.size == 1

    @property
    def next_size(self) -> int:
        """The size after a batch of this size that was written."""
        took = self._clock() - self._batch_began
        if self._is_timed and self.size >= DEFAULT_BATCH and took > _BATCH_SECONDS:
            return max(DEFAULT_BATCH, self.size - self.size // 4)
        return min(self._largest, self.size + max(1, self.size // 4))

    @property
    def rows_per_second(self) -> float:
        """The mean since the sizer was made."""
        elapsed = self._clock() - self._began
        return round(self._rows / elapsed, 1) if elapsed > 0 else 0.0

    def shrink(self) -> None:
        """Halve the size after a lock time-out."""
        self.size = max(1, self.size // 2)

    def grow(self, rows: int) -> float:
        """Count a written batch of so many rows; the seconds to rest before the next."""
        self._rows += rows
        self.size = self.next_size
        if self._rate is None:
            return 0.0
        return max(0.0, self._rows / self._rate - (self._clock() - self._began))


class Batch(NamedTuple):
    """The result of a batch.

    Attributes:
        requested_action: "pause", "cancel" or "stop" (the run is not running): nothing was written.
        scanned: planned rows scanned; 0 without a requested action: the plan is at its end.
    """

    requested_action: str | None
    scanned: int
    set: int


class BatchWriter:
    """Writes the current plan, over a pool whose connections plan every statement anew."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def write_next(self, run: UUID, sizer: BatchSizer) -> Batch:
        """Write the next batch of a run's plan and its progress, unless an action is requested of the run.

        The lock of all recomputes is taken in a statement of its own and for one batch, so that a recompute
        waits for no more than that. The run's row is locked meanwhile: an action is applied before a batch
        or after it.

        Raises:
            RowsLockedError: another session holds rows of the batch; nothing was written.
            UnavailableError: the commit's outcome is unknown; the run's row has it.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            await begin_correction(connection, Cause(CauseKind.BACKFILL, (run,)))
            return await self._write(connection, run, sizer)

    async def _write(self, connection: asyncpg.Connection, run: UUID, sizer: BatchSizer) -> Batch:
        sizer.begin_batch()
        locked = await connection.fetchrow(sql("backfill_lock"), run)
        if locked is None or locked["requested_action"] is not None:
            return Batch("stop" if locked is None else locked["requested_action"], 0, 0)
        await connection.execute(f"SET LOCAL lock_timeout = {round(LOCK_TIMEOUT_SECONDS * 1000)}; {BY_INDEX}")
        result = await write_rows(connection, _PLANNED, locked["resume_at"], sizer.size)
        counted = [record for record in result.records if record["origin"] is not None]
        counted += [_scanned_alone(refusal.row) for refusal in result.refused]
        scanned = sum(record["scanned"] for record in counted)
        written = sum(record["written"] for record in counted)
        if scanned:
            await connection.execute(
                sql("backfill_progress"),
                run,
                max(record["last_position"] or 0 for record in counted),
                scanned,
                written,
                _added(locked["by_class"], counted),
                sizer.next_size,
                sizer.rows_per_second,
            )
        return Batch(None, scanned, written)

    async def insert_overrides(self, overrides: list[RootOverride]) -> None:
        """Insert the overrides that a plan relies on; known ones are left alone."""
        async with self._pool.acquire() as connection, connection.transaction():
            await insert_root_overrides(connection, overrides, sourced=False)


def _scanned_alone(planned: Row) -> Row:
    """A planned row that was refused, counted as the statement counts those of its origin."""
    return {
        "origin": planned["origin"],
        "scanned": 1,
        "written": 0,
        "conflicts": int(planned["parent_conflict"]),
        "last_position": planned["position"],
    }


def _added(by_class: dict[str, Any], counted: list[Row]) -> dict[str, Any]:
    counts = dict(by_class)
    for record in counted:
        name = CLASSES[Origin(record["origin"])]
        counts[name] += record["scanned"]
        counts["conflicts"] += record["conflicts"]
    return counts
