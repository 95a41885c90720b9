"""Reads and writes of root overrides, and their publication in a topic of their own."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from llamalog_service.domain.overrides import RootOverride
from llamalog_service.postgres.statements import sql

_PAGE: Final = 500


async def insert_overrides(
    connection: asyncpg.Connection, overrides: Sequence[RootOverride], *, sourced: bool
) -> None:
    """Keep overrides in the connection's transaction; one that is there already stays as it is.

    Args:
        sourced: whether events of their topic state them; else they are to be published there.
    """
    columns = [list(column) for column in zip(*overrides, strict=True)]
    await connection.execute(sql("insert_overrides"), *columns, sourced)


class OverrideStore:
    """The overrides of the table, to be published."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def pages(self) -> AsyncIterator[list[RootOverride]]:
        """All of them, the earliest first."""
        after, last = datetime.min, UUID(int=0)
        while page := [
            RootOverride(*record)
            for record in await self._pool.fetch(sql("overrides_after"), after, last, _PAGE)
        ]:
            yield page
            after, last = page[-1].overridden_at, page[-1].id

    async def to_publish(self) -> list[RootOverride]:
        """Some that a backfill wrote and that are not published."""
        return [
            RootOverride(*record) for record in await self._pool.fetch(sql("overrides_to_publish"), _PAGE)
        ]

    async def mark_published(self, overrides: Sequence[RootOverride]) -> None:
        """Forget that they are to be published."""
        await self._pool.execute(sql("overrides_mark_published"), [one.id for one in overrides])

    async def count_unsourced(self) -> int:
        """The number of those whose event was not read from their topic."""
        _, overrides = await self._pool.fetchrow(sql("unsourced_count"))
        return int(overrides)
