"""The history of roots: kept for some time, and deleted in small pieces after that."""

from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg

from llamalog_service.postgres.statements import sql
from llamalog_service.telemetry.metrics import NULL_METRICS, Metrics

_AT_ONCE: Final = 2_000
"""Changes that one transaction deletes."""


class RootHistory:
    """The history of roots over a pool.

    Args:
        keep: how long a change is kept.
        at_once: changes that one transaction deletes.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        *,
        keep: timedelta,
        metrics: Metrics = NULL_METRICS,
        at_once: int = _AT_ONCE,
    ) -> None:
        self._pool = pool
        self._keep = keep
        self._metrics = metrics
        self._at_once = at_once

    async def prune(self, now: datetime | None = None) -> bool:
        """Delete a piece of what is older than it is kept; whether more may be left.

        The first such call states the new beginning, before anything is deleted, so that no reader takes a
        history for complete that is being cut.
        """
        cut = (now or datetime.now(UTC)) - self._keep
        if not await self._pool.fetchval(sql("history_begin_cut"), cut):
            return False
        pruned = await self._pool.fetchrow(sql("history_prune"), cut, self._at_once)
        self._metrics.history_pruned(pruned["changes"])
        return bool(pruned["changes"] or pruned["corrections"])
