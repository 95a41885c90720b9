"""Retractions kept, and applied to the rows that are in the table already.

A row is written as its event states it, and its retraction applied by the worker of the migration consumer,
whichever of the two comes first. A row and its retraction may be committed by transactions of which neither
sees the other: so the ingest looks, after the commit of a batch, for rows of it that are not as their
retractions want them, and these wait for the worker again.
"""

from collections.abc import Collection, Sequence
from typing import Final
from uuid import UUID

import asyncpg
import structlog

from llamalog_service.domain.errors import RowRefusedError
from llamalog_service.domain.retractions import Retraction
from llamalog_service.log.corrections import Cause, CauseKind, begin_correction
from llamalog_service.log.recompute import NoProgressError, RecomputeStore, recompute_until_converged
from llamalog_service.log.row_writes import RowWrite, write_rows
from llamalog_service.postgres.statements import Row, sql

_AT_ONCE: Final = 500
"""Retractions that are applied together."""

_RETRACT: Final = RowWrite(
    name="retract",
    rows="retract_rows",
    write="retract_write",
    undone="l.retracted IS DISTINCT FROM w.retracted OR l.revision <= w.revision_now",
    most=None,
)

_log = structlog.get_logger("llamalog.log")


async def insert_retractions(connection: asyncpg.Connection, retractions: Sequence[Retraction]) -> None:
    """Keep retractions in the connection's transaction; one that is there already stays as it is."""
    columns = [list(column) for column in zip(*retractions, strict=True)]
    await connection.execute(sql("insert_retractions"), *columns)


async def repeat_retractions(pool: asyncpg.Pool, rows: Collection[UUID]) -> None:
    """Have the retractions of rows applied once more where the rows are not as these want them."""
    await pool.execute(sql("retractions_repeat"), rows)


class Retractor:
    """Retracts rows, or takes that back, and recomputes what hung on their claims and declarations.

    Args:
        pool: its connections keep no plans.
    """

    def __init__(self, pool: asyncpg.Pool, recompute: RecomputeStore) -> None:
        self._pool = pool
        self._recompute = recompute

    async def apply_next(self) -> bool:
        """Apply some of the retractions that wait; False if none does.

        They wait until their roots are recomputed: a worker that dies in between leaves them to the next.

        Raises:
            UnavailableError: the next call repeats it.
        """
        waiting = await self._pool.fetch(sql("retractions_waiting"), _AT_ONCE)
        if not waiting:
            return False
        cause = Cause(CauseKind.RETRACTION, retractions=tuple(one["id"] for one in waiting))
        rows = [one["row_id"] for one in waiting]
        retracted = await self._mark(rows, cause)
        jobs = [one["job"] for one in await self._pool.fetch(sql("retracted_jobs"), rows)]
        corrected = await self._recompute_below(jobs, cause)
        await self._finish(waiting)
        _log.info("retractions applied", retractions=len(waiting), rows=retracted, roots_corrected=corrected)
        return True

    async def _mark(self, rows: Sequence[UUID], cause: Cause) -> int:
        """Mark the rows as their retractions want them; how many were changed."""
        async with self._pool.acquire() as connection, connection.transaction():
            await begin_correction(connection, cause)
            written = await write_rows(connection, _RETRACT, rows)
        return sum(record["changed"] for record in written.records)

    async def _recompute_below(self, jobs: Sequence[str], cause: Cause) -> int:
        try:
            result = await recompute_until_converged(self._recompute.caused_by(cause), jobs)
        except (RowRefusedError, NoProgressError) as failure:  # the sweep goes on with what it can
            _log.error("recompute failed", doing="applying retractions", error=str(failure))
            return 0
        return result.rows_changed

    async def _finish(self, waiting: Sequence[Row]) -> None:
        await self._pool.execute(
            sql("retractions_applied"),
            [one["id"] for one in waiting],
            [one["waits_since"] for one in waiting],
        )
