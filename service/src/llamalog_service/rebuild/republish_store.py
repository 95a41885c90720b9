"""The rows that are to be told again, in the order of their ids, and how far an interrupted telling came."""

from datetime import datetime
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

import asyncpg
import msgspec

from llamalog_service.postgres.statements import sql


class Which(NamedTuple):
    """The rows to be told again: recorded since then (None: ever), of these roots or about these entities.

    Where neither roots nor entities are given, whatever root, whatever entity.
    """

    since: datetime | None = None
    roots: tuple[str, ...] = ()
    entities: tuple[UUID, ...] = ()


class RepublishingStore:
    """Finds rows, over a pool whose connections plan every statement anew; keeps how far they are told.

    Args:
        topic: to which they are told.
    """

    def __init__(self, pool: asyncpg.Pool, topic: str) -> None:
        self._pool = pool
        self._topic = topic

    async def count(self, which: Which, after: UUID | None) -> int:
        """How many there are after a row."""
        return int(await self._pool.fetchval(sql("republish_count"), after, *which))

    async def next(self, which: Which, after: UUID | None, limit: int) -> list[UUID]:
        """The next of them."""
        records = await self._pool.fetch(sql("republish_rows"), after, *which, limit)
        return [record["id"] for record in records]

    async def progress(self, which: Which) -> UUID | None:
        """The last row that an interrupted telling of the same rows had told; None: there was none."""
        last: UUID | None = await self._pool.fetchval(sql("telling_progress"), self._name(which))
        return last

    async def advance(self, which: Which, last: UUID) -> None:
        """Keep up to which row all is told."""
        await self._pool.execute(sql("telling_advance"), self._name(which), last)

    async def finish(self, which: Which) -> None:
        """Forget how far it was."""
        await self._pool.execute(sql("telling_finish"), self._name(which))

    def _name(self, which: Which) -> str:
        """Of a length that an index takes, however many roots there are."""
        return f"{self._topic} {sha256(msgspec.json.encode(which)).hexdigest()}"
