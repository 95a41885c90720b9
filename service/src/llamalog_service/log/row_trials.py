"""Trials of new rows, one by one: which of a batch PostgreSQL refuses, and why."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

import asyncpg

from llamalog_service.domain.errors import RowExistsError, RowRefusedError
from llamalog_service.domain.lineage import Root
from llamalog_service.domain.rows import Content
from llamalog_service.postgres.errors import NO_DATA
from llamalog_service.postgres.pool import translated

_IS_VISIBLE: Final = "SELECT EXISTS (SELECT FROM llama_logs WHERE id = $1)"
_HIDDEN: Final = "the id {id} is taken by a row that a policy of the table hides from this role"


@asynccontextmanager
async def trial(pool: asyncpg.Pool) -> AsyncIterator[asyncpg.Connection]:
    """A transaction that is rolled back, in which what would be checked at the commit is checked at once."""
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            await connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
            yield connection
        finally:
            await transaction.rollback()


async def find_refused(
    connection: asyncpg.Connection,
    rows: Iterable[tuple[Content, Root]],
    insert: Callable[[Content, Root], Awaitable[None]],
) -> dict[UUID, RowRefusedError]:
    """The rows that cannot be inserted within a trial, with the reason; each is tried by itself."""
    refused: dict[UUID, RowRefusedError] = {}
    for row, root in rows:
        try:
            with translated():
                async with connection.transaction():
                    await insert(row, root)
        except RowRefusedError as refusal:
            refused[row.id] = refusal
        except RowExistsError:
            # Another writer has it by now: no reason to refuse it, if it can be read.
            if not await connection.fetchval(_IS_VISIBLE, row.id):
                refused[row.id] = RowRefusedError(_HIDDEN.format(id=row.id), NO_DATA)
    return refused
