"""The rows that are to be told again, in the order of their ids."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

from llamalog_service.store.connection import translated
from llamalog_service.store.queries import sql


class Which(NamedTuple):
    """The rows to be told again; None: whenever recorded, whatever root."""

    since: datetime | None = None
    root: str | None = None


class RepublishingStore:
    """Finds rows, over a pool whose connections plan every statement anew."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def count(self, which: Which) -> int:
        """How many there are."""
        with translated():
            return int(await self._pool.fetchval(sql("republish_count"), *which))

    async def next(self, which: Which, after: UUID | None, limit: int) -> list[UUID]:
        """The next of them."""
        with translated():
            records = await self._pool.fetch(sql("republish_rows"), after, limit, *which)
        return [record["id"] for record in records]
