"""Reads and writes of overrides, and the publication of those of roots in the topic of overrides."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from llamalog_service.domain.erasures import Erasure
from llamalog_service.domain.overrides import Override, RootOverride
from llamalog_service.domain.retractions import Retraction
from llamalog_service.log.erasures import insert_erasures
from llamalog_service.log.retractions import insert_retractions
from llamalog_service.postgres.statements import sql

_PAGE: Final = 500


async def insert_root_overrides(
    connection: asyncpg.Connection, overrides: Sequence[RootOverride], *, sourced: bool
) -> None:
    """Keep overrides of roots in the connection's transaction; one that is there already stays as it is.

    Args:
        sourced: whether events of their topic state them; else they are to be published there.
    """
    columns = [list(column) for column in zip(*overrides, strict=True)]
    await connection.execute(sql("insert_root_overrides"), *columns, sourced)


async def insert_overrides(connection: asyncpg.Connection, overrides: Sequence[Override]) -> None:
    """Keep overrides that events of their topic state, likewise."""
    roots = [one for one in overrides if isinstance(one, RootOverride)]
    erasures = [one for one in overrides if isinstance(one, Erasure)]
    retractions = [one for one in overrides if isinstance(one, Retraction)]
    if roots:
        await insert_root_overrides(connection, roots, sourced=True)
    if erasures:
        await insert_erasures(connection, erasures)
    if retractions:
        await insert_retractions(connection, retractions)


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
