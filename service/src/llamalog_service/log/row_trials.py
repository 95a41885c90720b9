"""Trials of new rows and overrides, one by one: which of a batch PostgreSQL refuses, and why."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

import asyncpg

from llamalog_service.domain.errors import RowExistsError, RowRefusedError
from llamalog_service.postgres.errors import NO_DATA, translated

Refusals = dict[UUID, RowRefusedError]
"""Why each was refused, by its id."""

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
    connection: asyncpg.Connection, writes: Mapping[UUID, Callable[[], Awaitable[None]]]
) -> Refusals:
    """The rows or overrides that cannot be written within a trial, with the reason; each is tried by itself.

    Args:
        writes: the write of each, by its id.
    """
    refused: Refusals = {}
    for id_, write in writes.items():
        try:
            with translated():
                async with connection.transaction():
                    await write()
        except RowRefusedError as refusal:
            refused[id_] = refusal
        except RowExistsError:
            # Another writer has it by now: no reason to refuse it, if it can be read.
            if not await connection.fetchval(_IS_VISIBLE, id_):
                refused[id_] = RowRefusedError(_HIDDEN.format(id=id_), NO_DATA)
    return refused
