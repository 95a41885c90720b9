"""Rows from which a sweep recomputes: without a final root, page by page, or set aside and changed since."""

from collections.abc import Iterable
from functools import partial
from typing import Final
from uuid import UUID

import asyncpg
import structlog

from llamalog_service.domain.errors import RowRefusedError
from llamalog_service.log.readable import HIGHEST, first_unreadable
from llamalog_service.log.row_writes import MAX_REASON
from llamalog_service.postgres.statements import Row, sql

_REFUSED_AT_ONCE: Final = 5_000
_UNSETTLED_AT_ONCE: Final = 20_000
_UNREADABLE_AT_ONCE: Final = 20
"""Each costs some 128 statements."""
_LOWEST: Final = UUID(int=0)

_log = structlog.get_logger("llamalog.log")


class UnsettledRows:
    """Looks at some of these rows at each call, over a pool whose connections plan every statement anew."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._last_refused: UUID | None = None
        self._last_unsettled = _LOWEST

    async def changed_refusals(self) -> set[str]:
        """The jobs of rows set aside that have changed since; some are looked at, the next call goes on."""
        records = await self._pool.fetch(sql("refused_rows_release"), self._last_refused, _REFUSED_AT_ONCE)
        self._last_refused = records[-1]["row_id"] if len(records) >= _REFUSED_AT_ONCE else None
        return {record["job"] for record in records if record["job"] is not None}

    async def repeat_retractions(self) -> None:
        """Have retractions applied again to rows that another program has changed or put in again."""
        await self._pool.execute(sql("retractions_repeat"), None)

    async def stale_starts(self, limit: int) -> list[str]:
        """At most `limit` jobs at which rows without a final root start that look stale.

        Some of the rows that wait are looked at, and the next call goes on: a million cost no more than few.
        If more than `limit` look stale, it begins where this one did. Rows of other writers come first. A row
        that cannot be read, or whose parent cannot be, is set aside and passed.

        Raises:
            RowRefusedError: a row of another writer cannot be read, or very many rows cannot be.
        """
        before: list[str] = []
        for _ in range(_UNREADABLE_AT_ONCE):
            try:
                return before + await self._stale_starts(limit)
            except RowRefusedError as refusal:
                before += await self._pass_unreadable(limit, refusal)
        return before + await self._stale_starts(limit)

    async def _stale_starts(self, limit: int) -> list[str]:
        records = await self._look(limit, HIGHEST)
        starts = _jobs(records)
        if len(starts) < limit:
            last = records[0]["last_id"]
            await self._pool.execute(sql("refused_rows_readable"), self._last_unsettled, last or HIGHEST)
            self._last_unsettled = last or _LOWEST
        return starts

    async def _look(self, limit: int, upto: UUID, at_once: int | None = None) -> list[Row]:
        at_once = _UNSETTLED_AT_ONCE if at_once is None else at_once
        records: list[Row] = await self._pool.fetch(
            sql("stale_starts"), limit, self._last_unsettled, at_once, upto
        )
        return records

    async def _pass_unreadable(self, limit: int, refusal: RowRefusedError) -> list[str]:
        """Set the first row that cannot be looked at aside, and go on after it; what was found before it."""
        await self._look(limit, HIGHEST, 0)  # raises, where a row of another writer is to blame
        row = await first_unreadable(partial(self._look, limit))
        before = await self._look(limit, UUID(int=max(row.int - 1, 0)))
        await self._pool.execute(
            sql("refused_rows_unreadable"), row, refusal.sqlstate, str(refusal)[:MAX_REASON]
        )
        _log.warning("row set aside", row=str(row), write="read", reason=str(refusal))
        self._last_unsettled = UUID(int=min(row.int + 1, HIGHEST.int))
        return _jobs(before)


def _jobs(records: Iterable[Row]) -> list[str]:
    return [record["job"] for record in records if record["job"] is not None]
