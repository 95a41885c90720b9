"""The outbox: corrected and removed rows, noted with the correction and published afterwards."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from llamalog_service.domain.rows import StoredRow
from llamalog_service.kafka.publisher import EventPublisher
from llamalog_service.log.rows import stored_row
from llamalog_service.postgres.statements import sql


class Outbox:
    """Corrections, noted in the transactions that made them until they are told."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def next(self, limit: int) -> list[StoredRow]:
        """Corrected rows, at most `limit`, as they stand now; those of backfills come last."""
        return await self.next_prompt(limit) or await self._rows("outbox_bulk", limit)

    async def next_prompt(self, limit: int) -> list[StoredRow]:
        """The rows that repairs corrected, at most `limit`, as they stand now."""
        return await self._rows("outbox_prompt", limit)

    async def _rows(self, name: str, limit: int) -> list[StoredRow]:
        noted = await self._pool.fetch(sql(name), limit)
        if not noted:
            return []
        records = await self._pool.fetch(sql("rows_by_id"), [record["row_id"] for record in noted])
        return [stored_row(record) for record in records]

    async def removed(self, limit: int) -> list[UUID]:
        """Rows that a repair removed and nobody was told of, at most `limit`."""
        return [record["row_id"] for record in await self._pool.fetch(sql("removed_untold"), limit)]

    async def strike_removed(self, told: Sequence[UUID]) -> None:
        """Note that removals were told; a row that is back by now is noted as a correction."""
        await self._pool.execute(sql("removed_strike"), told)

    async def count(self) -> int:
        """How many corrections wait to be told."""
        return int(await self._pool.fetchval(sql("outbox_count")))

    async def strike(self, told: Sequence[StoredRow]) -> None:
        """Strike out rows told, up to the revision told: a correction made meanwhile stays noted."""
        await self._pool.execute(
            sql("outbox_strike"), [row.content.id for row in told], [row.revision for row in told]
        )


ROWS_AT_ONCE = 1000


async def tell_corrections(outbox: Outbox, event_publisher: EventPublisher) -> int:
    """Publish every correction noted, then strike it out; a crash between the two tells it twice.

    Returns:
        How many rows were told.

    Raises:
        UnavailableError: what was not struck out is told at the next call.
    """
    told = await tell_removals(outbox, event_publisher)
    while rows := await outbox.next(ROWS_AT_ONCE):
        await event_publisher.publish_provenance(rows)
        await outbox.strike(rows)
        told += len(rows)
    return told


async def tell_removals(outbox: Outbox, event_publisher: EventPublisher) -> int:
    """Tell which rows a repair has removed; how many.

    Raises:
        UnavailableError: what was not noted as told is told at the next call.
    """
    told = 0
    while removed := await outbox.removed(ROWS_AT_ONCE):
        await event_publisher.publish_removals(removed)
        await outbox.strike_removed(removed)
        told += len(removed)
    return told
