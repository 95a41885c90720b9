"""Reads by the names of their statements, bounded in time."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from llamalog_service.domain.errors import TookTooLongError, UnavailableError
from llamalog_service.postgres.statements import Row, sql


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

    async def rows(self, name: str, *values: object, brief: bool = False) -> Sequence[Row]:
        """All rows of a query, brief or whole as of `sql`."""
        return await self.run(sql(name, brief=brief), *values)

    async def run(self, statement: str, *values: object) -> Sequence[Row]:
        """All rows of a statement that the store has composed."""
        async with self._bounded():
            records: Sequence[Row] = await self._pool.fetch(statement, *values)
        return records

    async def row(self, name: str, *values: object) -> Row:
        """The row of a query that always has one."""
        async with self._bounded():
            record: Row = await self._pool.fetchrow(sql(name), *values)
        return record

    async def value(self, name: str, *values: object) -> Any:
        """The one value of a query, None if it finds no row."""
        async with self._bounded():
            return await self._pool.fetchval(sql(name), *values)

    @asynccontextmanager
    async def _bounded(self) -> AsyncIterator[None]:
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._answer_within):
                yield
        except TimeoutError as error:
            raise UnavailableError(f"PostgreSQL has not answered for {self._answer_within} s.") from error
        except TookTooLongError as error:
            seconds = int(time.monotonic() - began)
            raise TookTooLongError(
                f"PostgreSQL took longer than {seconds} s for an answer, and has given up."
            ) from error
