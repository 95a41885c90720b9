"""The plan written to the log, a batch a short transaction, the run's progress in the same one."""

from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from llamalog_schemas.provenance import Origin
from llamalog_service.backfill.plan_store import CLASSES
from llamalog_service.domain.overrides import RootOverride
from llamalog_service.log.log_store import insert_overrides
from llamalog_service.log.recompute import BY_INDEX, LOCK_TIMEOUT_SECONDS
from llamalog_service.postgres.locks import lock_recompute
from llamalog_service.postgres.statements import Row, sql


class Pace(NamedTuple):
    """How a batch is to go: its size, and what the run then tells of its next one and of its speed."""

    size: int
    next_size: int
    rows_per_second: float


class Batch(NamedTuple):
    """What a batch came to.

    Attributes:
        wish: "pause", "cancel" or "stop" (the run is not under way): nothing was written.
        looked_at: planned rows looked at; 0 without a wish: the plan is at its end.
    """

    wish: str | None
    looked_at: int
    set: int


class PlanBatches:
    """Writes the plan that is kept, over a pool whose connections plan every statement anew."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def write_next(self, run: UUID, pace: Pace) -> Batch:
        """Write the next batch of a run's plan and note its progress, unless the run has a wish.

        The lock of all repairs is taken in a statement of its own and for one batch, so that a repair
        waits for no more than that. The run's row is held meanwhile: a wish comes before a batch or after.

        Raises:
            RowsLockedError: another session holds rows of the batch; nothing was written.
            UnavailableError: it cannot be told whether anything was written; the run's row says so.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            await lock_recompute(connection)
            return await self._write(connection, run, pace)

    async def _write(self, connection: asyncpg.Connection, run: UUID, pace: Pace) -> Batch:
        standing = await connection.fetchrow(sql("backfill_lock"), run)
        if standing is None or standing["wish"] is not None:
            return Batch("stop" if standing is None else standing["wish"], 0, 0)
        await connection.execute(f"SET LOCAL lock_timeout = {round(LOCK_TIMEOUT_SECONDS * 1000)}; {BY_INDEX}")
        counted = await connection.fetch(sql("plan_apply"), standing["resume_at"], pace.size)
        looked_at = sum(record["looked_at"] for record in counted)
        written = sum(record["written"] for record in counted)
        if looked_at:
            await connection.execute(
                sql("backfill_progress"),
                run,
                max(record["last_position"] or 0 for record in counted),
                looked_at,
                written,
                _added(standing["by_class"], counted),
                pace.next_size,
                pace.rows_per_second,
            )
        return Batch(None, looked_at, written)

    async def insert_overrides(self, overrides: list[RootOverride]) -> None:
        """Keep the adoptions that a plan counts on; those that are there already are left alone."""
        async with self._pool.acquire() as connection, connection.transaction():
            await insert_overrides(connection, overrides, sourced=False)


def _added(by_class: dict[str, Any], counted: list[Row]) -> dict[str, Any]:
    counts = dict(by_class)
    for record in counted:
        name = CLASSES[Origin(record["origin"])]
        counts[name] += record["looked_at"]
        counts["conflicts"] += record["conflicts"]
    return counts
