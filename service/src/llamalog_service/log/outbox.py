"""The outbox: corrected and removed rows, noted with the correction and published afterwards."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import takewhile
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from llamalog_service.domain.rows import StoredRow
from llamalog_service.kafka.publisher import EventPublisher
from llamalog_service.log.stored_rows import ROWS_AT_ONCE, RowReader
from llamalog_service.postgres.statements import sql

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_LOWEST = UUID(int=0)

_Place = tuple[Any, ...]
"""An entry by the values that its lane is ordered by."""


class _Lane:
    """The entries of one urgency, read in an order that an index has.

    Attributes:
        start: before the first entry.
        after: the entry up to which all were deleted.
    """

    def __init__(self, statement: str, start: _Place, order: tuple[str, ...]) -> None:
        self.statement = statement
        self.order = order
        self.start = self.after = start


class Page(NamedTuple):
    """Some corrected rows, as they were when the page was read.

    Attributes:
        reached: the last entry of the page; the start of its lane if none follows.
    """

    rows: Sequence[StoredRow]
    lane: _Lane
    reached: _Place

    @property
    def is_last(self) -> bool:
        """Whether no entry followed when it was read."""
        return self.reached == self.lane.start


class Outbox:
    """Corrections and removals, noted in the transactions that made them until they are published."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._reader = RowReader(pool)
        self._prompt = _Lane("outbox_prompt", (_LONG_AGO, _LOWEST, 0), ("noted_at", "row_id", "revision"))
        self._bulk = _Lane("outbox_bulk", (_LOWEST,), ("row_id",))

    async def next_prompt(self, limit: int) -> Page:
        """The rows that small recomputes corrected, at most `limit`, as they are now.

        There are fewer where they are large. A row that is gone by now is struck out.
        """
        return await self._page(self._prompt, limit)

    async def next_bulk(self, limit: int, before: Page | None = None) -> Page:
        """The rows that backfills and large recomputes corrected, at most `limit`, as they are now.

        Args:
            before: a page that is not deleted yet, after which is read.
        """
        return await self._page(self._bulk, limit, before)

    async def has_prompt(self) -> bool:
        """Whether corrections of small repairs wait."""
        return bool(await self._pool.fetch(sql(self._prompt.statement), *self._prompt.start, 1))

    async def _page(self, lane: _Lane, limit: int, before: Page | None = None) -> Page:
        """Read on after what was deleted, so that no page is searched among dead tuples; then from the start.

        An entry may come with a time before those read: its transaction took longer. A page ends before the
        first row that would make it too large.
        """
        if before is not None and before.is_last:
            return Page((), lane, lane.start)
        after = lane.after if before is None else before.reached
        while True:
            noted = list(await self._pool.fetch(sql(lane.statement), *after, limit))
            is_last = len(noted) < limit
            if is_last and before is None and after != lane.start:
                noted += await self._pool.fetch(sql(lane.statement), *lane.start, limit - len(noted))
            ids = list(dict.fromkeys(record["row_id"] for record in noted))
            rows, looked_up = await self._reader.read(ids)
            if looked_up < len(ids):
                following = ids[looked_up]
                noted = list(takewhile(lambda record: record["row_id"] != following, noted))  # noqa: B023 - at once
                is_last = False
            reached = lane.start if is_last else tuple(noted[-1][name] for name in lane.order)
            if len(rows) < looked_up:
                await self._pool.execute(sql("outbox_delete_orphans"), ids[:looked_up])
            if rows or not noted or (is_last and before is not None):
                return Page(rows, lane, reached)
            after = reached

    async def removed(self, limit: int) -> list[UUID]:
        """Rows that a repair removed and whose removal is not published, at most `limit`."""
        return [record["row_id"] for record in await self._pool.fetch(sql("removed_unpublished"), limit)]

    async def mark_removals_published(self, removed: Sequence[UUID]) -> None:
        """Note that removals are published; a row that exists again by now is noted as a correction."""
        await self._pool.execute(sql("removed_mark_published"), removed)

    async def count(self) -> int:
        """Count the corrections that wait to be published."""
        return int(await self._pool.fetchval(sql("outbox_count")))

    async def delete_page(self, page: Page) -> None:
        """Delete the entries of a published page; its lane is read on after it."""
        await self.delete_published(page.rows)
        page.lane.after = page.reached

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
