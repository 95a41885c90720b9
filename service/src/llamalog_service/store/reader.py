"""Reads by named SQL, for whoever reads the log and writes nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg

from llamalog_service.store.connection import translated
from llamalog_service.store.queries import sql

Record = Mapping[str, Any]
"""The values of a row by the names that its query gives them."""


class Reader:
    """Runs the statements in `sql/` by name; every method raises UnavailableError if PostgreSQL is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def rows(self, name: str, *values: object) -> Sequence[Record]:
        """All rows of a query."""
        return await self.run(sql(name), *values)

    async def run(self, statement: str, *values: object) -> Sequence[Record]:
        """All rows of a statement that the store has composed."""
        with translated():
            records: Sequence[Record] = await self._pool.fetch(statement, *values)
        return records

    async def row(self, name: str, *values: object) -> Record:
        """The row of a query that always has one."""
        with translated():
            record: Record = await self._pool.fetchrow(sql(name), *values)
        return record

    async def value(self, name: str, *values: object) -> Any:
        """The one value of a query, None if it finds no row."""
        with translated():
            return await self._pool.fetchval(sql(name), *values)
