"""The outbox: corrected and removed rows, noted with the correction and published afterwards."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg

from llamalog_service.domain.rows import StoredRow, stored_row
from llamalog_service.kafka.publisher import EventPublisher
from llamalog_service.postgres.statements import sql

ROWS_AT_ONCE = 1000
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_LOWEST = UUID(int=0)


class _Lane:
    """The entries of one urgency, read in an order that an index has.

    Attributes:
        start: before the first entry.
        after: the entry up to which all were deleted.
        reached: the last entry that was read.
    """

    def __init__(self, statement: str, start: tuple[Any, ...], order: tuple[str, ...]) -> None:
        self.statement = statement
        self.order = order
        self.start = self.after = self.reached = start


class Outbox:
    """Corrections and removals, noted in the transactions that made them until they are published."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._prompt = _Lane("outbox_prompt", (_LONG_AGO, _LOWEST, 0), ("noted_at", "row_id", "revision"))
        self._bulk = _Lane("outbox_bulk", (_LOWEST,), ("row_id",))

    async def next(self, limit: int) -> list[StoredRow]:
        """Corrected rows, at most `limit`, as they are now; those of backfills and large repairs come last.

        A row that is gone by now is struck out.
        """
        return await self.next_prompt(limit) or await self.next_bulk(limit)

    async def next_prompt(self, limit: int) -> list[StoredRow]:
        """The rows that small repairs corrected, at most `limit`, as they are now."""
        return await self._rows(self._prompt, limit)

    async def next_bulk(self, limit: int) -> list[StoredRow]:
        """The rows that backfills and large repairs corrected, at most `limit`, as they are now."""
        return await self._rows(self._bulk, limit)

    async def _rows(self, lane: _Lane, limit: int) -> list[StoredRow]:
        """Read on after what was deleted, so that no page is searched among dead tuples; then from the start.

        An entry may come with a time before those read: its transaction took longer.
        """
        while True:
            noted = list(await self._pool.fetch(sql(lane.statement), *lane.after, limit))
            is_last = len(noted) < limit
            if is_last and lane.after != lane.start:
                noted += await self._pool.fetch(sql(lane.statement), *lane.start, limit - len(noted))
            if not noted:
                lane.after = lane.reached = lane.start
                return []
            lane.reached = lane.start if is_last else tuple(noted[-1][name] for name in lane.order)
            ids = list({record["row_id"] for record in noted})
            records = await self._pool.fetch(sql("rows_by_id"), ids, True)
            if len(records) < len(ids):
                await self._pool.execute(sql("outbox_delete_orphans"), ids)
            if records:
                return [stored_row(record) for record in records]
            lane.after = lane.reached

    async def removed(self, limit: int) -> list[UUID]:
        """Rows that a repair removed and whose removal is not published, at most `limit`."""
        return [record["row_id"] for record in await self._pool.fetch(sql("removed_unpublished"), limit)]

    async def mark_removals_published(self, removed: Sequence[UUID]) -> None:
        """Note that removals are published; a row that exists again by now is noted as a correction."""
        await self._pool.execute(sql("removed_mark_published"), removed)

    async def count(self) -> int:
        """Count the corrections that wait to be published."""
        return int(await self._pool.fetchval(sql("outbox_count")))

    async def delete_published(self, rows: Sequence[StoredRow]) -> None:
        """Delete the entries of rows up to the published revision: a correction made since stays noted."""
        await self._pool.execute(
            sql("outbox_delete"), [row.content.id for row in rows], [row.revision for row in rows]
        )
        for lane in (self._prompt, self._bulk):
            lane.after = lane.reached


async def publish_removals(outbox: Outbox, event_publisher: EventPublisher) -> int:
    """Publish a tombstone for every row that a repair has removed; how many.

    Raises:
        UnavailableError: removals that were not marked are published at the next call.
    """
    published = 0
    while removed := await outbox.removed(ROWS_AT_ONCE):
        await event_publisher.publish_removals(removed)
        await outbox.mark_removals_published(removed)
        published += len(removed)
    return published
