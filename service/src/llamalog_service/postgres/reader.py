"""Reads by named SQL, for whoever reads the log and writes nothing."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from llamalog_service.domain.errors import TookTooLongError
from llamalog_service.postgres.connection import translated
from llamalog_service.postgres.statements import sql

Record = Mapping[str, Any]
"""The values of a row by the names that its query gives them."""


class Reader:
    """Runs the statements in `sql/` by name; every method raises UnavailableError if PostgreSQL is away.

    If it has given a statement up that took too long, that is a TookTooLongError.

    Args:
        answer_within: seconds for a statement, waiting for a connection included; then PostgreSQL counts as
            away. None waits as long as the pool does.
    """

    def __init__(self, pool: asyncpg.Pool, answer_within: float | None = None) -> None:
        self._pool = pool
        self._answer_within = answer_within

    async def rows(self, name: str, *values: object) -> Sequence[Record]:
        """All rows of a query."""
        return await self.run(sql(name), *values)

    async def run(self, statement: str, *values: object) -> Sequence[Record]:
        """All rows of a statement that the store has composed."""
        async with self._bounded():
            records: Sequence[Record] = await self._pool.fetch(statement, *values)
        return records

    async def row(self, name: str, *values: object) -> Record:
        """The row of a query that always has one."""
        async with self._bounded():
            record: Record = await self._pool.fetchrow(sql(name), *values)
        return record

    async def value(self, name: str, *values: object) -> Any:
        """The one value of a query, None if it finds no row."""
        async with self._bounded():
            return await self._pool.fetchval(sql(name), *values)

    @asynccontextmanager
    async def _bounded(self) -> AsyncIterator[None]:
        began = time.monotonic()
        try:
            with translated():
                async with asyncio.timeout(self._answer_within):
                    yield
        except TookTooLongError as error:
            seconds = int(time.monotonic() - began)
            raise TookTooLongError(
                f"PostgreSQL took longer than {seconds} s for an answer, and has given up."
            ) from error
