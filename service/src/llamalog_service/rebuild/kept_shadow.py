"""What a comparison left in the shadow, for as long as it is there: a crash of PostgreSQL empties it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncpg

from llamalog_service.postgres.errors import StoreError
from llamalog_service.rebuild.shadow import SCHEMA

_IS_KEPT: Final = f"SELECT EXISTS (SELECT FROM {SCHEMA}.comparison)"  # noqa: S608


class ShadowLostError(StoreError):
    """The shadow does not hold any more what was compared."""

    def __init__(self) -> None:
        super().__init__(
            "What was rebuilt beside the live table is gone: PostgreSQL crashed or failed over, which "
            "empties unlogged tables, or somebody dropped the schema. Nothing was written since; what was "
            "mended before stays mended. Run the same command again: it reads from the beginning."
        )


@asynccontextmanager
async def kept_shadow(pool: asyncpg.Pool) -> AsyncIterator[asyncpg.Connection]:
    """A connection that has found the comparison whole; a crash after that ends the connection.

    Raises:
        ShadowLostError: the shadow is empty or dropped.
        UnavailableError: PostgreSQL is away.
    """
    async with pool.acquire() as connection:
        try:
            is_kept = await connection.fetchval(_IS_KEPT)
        except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError) as gone:
            raise ShadowLostError from gone
        if not is_kept:
            raise ShadowLostError
        yield connection
