"""The outbox: corrected and removed rows, noted with the correction and published afterwards."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from llamalog_service.domain.rows import StoredRow
from llamalog_service.kafka.publisher import EventPublisher
from llamalog_service.log.log_store import stored_row
from llamalog_service.postgres.statements import sql

ROWS_AT_ONCE = 1000


class Outbox:
    """Corrections and removals, noted in the transactions that made them until they are published."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def next(self, limit: int) -> list[StoredRow]:
        """Corrected rows, at most `limit`, as they are now; those of backfills come last."""
        return await self.next_prompt(limit) or await self._rows("outbox_bulk", limit)

    async def next_prompt(self, limit: int) -> list[StoredRow]:
        """The rows that repairs corrected, at most `limit`, as they are now."""
        return await self._rows("outbox_prompt", limit)

    async def _rows(self, name: str, limit: int) -> list[StoredRow]:
        noted = await self._pool.fetch(sql(name), limit)
        if not noted:
            return []
        records = await self._pool.fetch(sql("rows_by_id"), [record["row_id"] for record in noted])
        return [stored_row(record) for record in records]

    async def removed(self, limit: int) -> list[UUID]:
        """Rows that a repair removed and whose removal is not published, at most `limit`."""
        return [record["row_id"] for record in await self._pool.fetch(sql("removed_unpublished"), limit)]

    async def mark_removals_published(self, removed: Sequence[UUID]) -> None:
        """Note that removals are published; a row that exists again by now is noted as a correction."""
        await self._pool.execute(sql("removed_mark_published"), removed)

    async def count(self) -> int:
        """How many corrections wait to be published."""
        return int(await self._pool.fetchval(sql("outbox_count")))

    async def delete_published(self, rows: Sequence[StoredRow]) -> None:
        """Delete the entries of rows up to the published revision: a correction made since stays noted."""
        await self._pool.execute(
            sql("outbox_delete"), [row.content.id for row in rows], [row.revision for row in rows]
        )


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
