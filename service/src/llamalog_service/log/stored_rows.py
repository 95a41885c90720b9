"""Rows of the log read by id, as many at once as memory may hold: a row can bring megabytes."""

from collections.abc import AsyncIterator, Sequence
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg

from llamalog_service.domain.rows import StoredRow, stored_row
from llamalog_service.postgres.statements import sql

ROWS_AT_ONCE: Final = 2000
BYTES_AT_ONCE: Final = 2 * 1024 * 1024
"""Of rows as the table writes them. Decoded they take up to twenty times as much, and others are published
meanwhile."""


class SomeRows(NamedTuple):
    """The rows of the first of some ids.

    Attributes:
        rows: those that are in the table, in the order of the ids.
        reached: how many of the ids were looked up.
    """

    rows: list[StoredRow]
    reached: int


class RowReader:
    """Reads rows by id, at most `ROWS_AT_ONCE` and `BYTES_AT_ONCE`; a single row may exceed the latter.

    PostgreSQL weighs every row that is requested. After one that was too many for the bytes fewer are.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._at_once = ROWS_AT_ONCE

    async def read(self, ids: Sequence[UUID]) -> SomeRows:
        """The rows of the first of these ids, each of which is given once."""
        if not ids:
            return SomeRows([], 0)
        ids = ids[: self._at_once]
        records = await self._pool.fetch(sql("rows_within"), ids, True, BYTES_AT_ONCE)
        is_cut = bool(records) and len(records) < records[0]["found"]
        reached = records[-1]["place"] if is_cut else len(ids)
        self._at_once = min(ROWS_AT_ONCE, 2 * (reached if is_cut else self._at_once))
        return SomeRows(list(map(stored_row, records)), reached)

    async def portions(self, ids: Sequence[UUID]) -> AsyncIterator[list[StoredRow]]:
        """All rows of these ids that are in the table, as many at once as `read` returns."""
        while ids:
            rows, reached = await self.read(ids)
            if rows:
                yield rows
            ids = ids[reached:]
