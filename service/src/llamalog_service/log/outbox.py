"""Rows of the log read to be published, and the outbox: corrected and removed rows, noted until they are."""

import time
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import takewhile
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg
import structlog

from llamalog_service.domain.errors import RowRefusedError
from llamalog_service.domain.rows import StoredRow, stored_row
from llamalog_service.kafka.publisher import EventPublisher
from llamalog_service.log.readable import read_by_halves
from llamalog_service.log.row_writes import write_by_halves
from llamalog_service.postgres.statements import sql

ROWS_AT_ONCE: Final = 2000
BYTES_AT_ONCE: Final = 2 * 1024 * 1024
"""Of rows as the table writes them. Decoded they take up to twenty times as much, and others are published
meanwhile."""

_RETRY_SECONDS: Final = 60.0
"""After which a row that cannot be read is tried again."""

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_LOWEST = UUID(int=0)
_NEXT_TRANSACTION = "SELECT pg_snapshot_xmax(pg_current_snapshot())::xid"

_log = structlog.get_logger("llamalog.log")

_Place = tuple[Any, ...]
"""An entry by the values that its lane is ordered by."""


class SomeRows(NamedTuple):
    """The rows of the first of some ids.

    Attributes:
        rows: those that are in the table, in the order of the ids.
        reached: how many of the ids were looked up.
    """

    rows: list[StoredRow]
    reached: int


class RowReader:
    """Reads rows by id, at most `ROWS_AT_ONCE` and `BYTES_AT_ONCE`; a single row may exceed the latter.

    PostgreSQL weighs every row that is requested. After one that was too many for the bytes fewer are.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._at_once = ROWS_AT_ONCE

    async def read(self, ids: Sequence[UUID]) -> SomeRows:
        """The rows of the first of these ids, each of which is given once."""
        if not ids:
            return SomeRows([], 0)
        ids = ids[: self._at_once]
        records = await self._pool.fetch(sql("rows_within"), ids, True, BYTES_AT_ONCE)
        is_cut = bool(records) and len(records) < records[0]["found"]
        reached = records[-1]["place"] if is_cut else len(ids)
        self._at_once = min(ROWS_AT_ONCE, 2 * (reached if is_cut else self._at_once))
        return SomeRows(list(map(stored_row, records)), reached)

    async def unreadable(self, ids: Sequence[UUID]) -> dict[UUID, RowRefusedError]:
        """Those of these rows that cannot be read, as where a function of a policy raises for them.

        All are weighed, one at most is brought.
        """

        async def weigh(some: Sequence[UUID]) -> None:
            await self._pool.execute(sql("rows_within"), some, False, 0)

        _, unreadable = await read_by_halves(ids, weigh)
        return {one.key: one.refusal for one in unreadable}

    async def portions(self, ids: Sequence[UUID]) -> AsyncIterator[list[StoredRow]]:
        """All rows of these ids that are in the table, as many at once as `read` returns."""
        while ids:
            rows, reached = await self.read(ids)
            if rows:
                yield rows
            ids = ids[reached:]


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


class Waiting(NamedTuple):
    """Kinds of entries that wait: removals, corrections of small recomputes, corrections of any kind."""

    removals: bool
    prompt: bool
    corrections: bool


class OutboxPage(NamedTuple):
    """Some corrected rows, as they were when the page was read.

    Attributes:
        reached: the last entry of the page; the start of its lane if none follows.
        next_transaction: the first that had not begun when its entries were read.
    """

    rows: Sequence[StoredRow]
    lane: _Lane
    reached: _Place
    next_transaction: int = 0

    @property
    def is_last(self) -> bool:
        """Whether no entry followed when it was read."""
        return self.reached == self.lane.start


class RemovedRows(NamedTuple):
    """Rows whose tombstones are to be published; `next_transaction`: as of a page."""

    ids: Sequence[UUID]
    next_transaction: int


class ProvenanceOutbox:
    """Corrections and removals, noted in the transactions that made them until they are published."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._reader = RowReader(pool)
        self._prompt = _Lane("outbox_prompt", (_LONG_AGO, _LOWEST, 0), ("noted_at", "row_id", "revision"))
        self._bulk = _Lane("outbox_bulk", (_LOWEST,), ("row_id",))
        self._retry_at: dict[UUID, float] = {}

    async def next_prompt(self, limit: int) -> OutboxPage:
        """The rows that small recomputes corrected, at most `limit`, as they are now.

        There are fewer where they are large. A row that is gone by now is struck out.
        """
        return await self._page(self._prompt, limit)

    async def next_bulk(self, limit: int, before: OutboxPage | None = None) -> OutboxPage:
        """The rows that backfills and large recomputes corrected, at most `limit`, as they are now.

        Args:
            before: a page that is not deleted yet, after which is read.
        """
        return await self._page(self._bulk, limit, before)

    async def waiting(self) -> Waiting:
        """Look for entries of each kind, by one short statement."""
        record = await self._pool.fetchrow(sql("outbox_waiting"))
        return Waiting(record["removals"], record["prompt"], record["corrections"])

    async def _page(self, lane: _Lane, limit: int, before: OutboxPage | None = None) -> OutboxPage:
        """Read on after what was deleted, so that no page is searched among dead tuples; then from the start.

        An entry may come with a time before those read: its transaction took longer. A page ends before the
        first row that would make it too large.
        """
        if before is not None and before.is_last:
            return OutboxPage((), lane, lane.start)
        after = lane.after if before is None else before.reached
        while True:
            noted = list(await self._pool.fetch(sql(lane.statement), *after, limit))
            is_last = len(noted) < limit
            if is_last and before is None and after != lane.start:
                noted += await self._pool.fetch(sql(lane.statement), *lane.start, limit - len(noted))
            ids = list(dict.fromkeys(record["row_id"] for record in noted))
            rows, following = await self._rows(ids)
            if following is not None:
                noted = list(takewhile(lambda record: record["row_id"] != following, noted))  # noqa: B023 - at once
                is_last = False
            reached = lane.start if is_last else tuple(noted[-1][name] for name in lane.order)
            if rows or not noted or (is_last and (before is not None or after == lane.start)):
                return OutboxPage(rows, lane, reached, noted[0]["next_transaction"] if noted else 0)
            after = reached

    async def _rows(self, ids: Sequence[UUID]) -> tuple[list[StoredRow], UUID | None]:
        """The rows of the first of these ids, and the id that follows, if any.

        Entries of rows that are gone are deleted; rows that cannot be read are left out and stay noted.
        """
        to_read = [row for row in ids if self._retry_at.get(row, 0.0) <= time.monotonic()]
        try:
            rows, reached = await self._reader.read(to_read)
        except RowRefusedError:
            unreadable = await self._reader.unreadable(to_read)
            if not unreadable:
                raise
            self._set_aside(unreadable)
            return await self._rows(ids)
        for row in to_read[:reached] if self._retry_at else ():
            self._retry_at.pop(row, None)
        if len(rows) < reached:
            await self._pool.execute(sql("outbox_delete_orphans"), to_read[:reached])
        return rows, to_read[reached] if reached < len(to_read) else None

    def _set_aside(self, unreadable: Mapping[UUID, RowRefusedError]) -> None:
        """Leave rows out for a minute; a new one is logged."""
        retry_at = time.monotonic() + _RETRY_SECONDS
        for row, refusal in unreadable.items():
            if row not in self._retry_at:
                _log.warning("correction waits", row=str(row), reason=str(refusal))
            self._retry_at[row] = retry_at

    async def removed(self, limit: int) -> RemovedRows:
        """Rows that a repair removed and whose removal is not published, at most `limit`."""
        records = await self._pool.fetch(sql("removed_unpublished"), limit)
        ids = [record["row_id"] for record in records]
        return RemovedRows(ids, records[0]["next_transaction"] if records else 0)

    async def mark_removals_published(self, removed: RemovedRows) -> None:
        """Note that removals are published; a row that exists again by now is noted as a correction.

        If possible as a higher revision: its tombstone may have come after it, and readers that keep the
        highest revision have this one already.
        """
        ids = removed.ids
        async with self._pool.acquire() as connection, connection.transaction():
            await write_by_halves(
                connection, "revision", ids, partial(connection.execute, sql("removed_raise_revisions"))
            )
            await connection.execute(sql("removed_mark_published"), ids, removed.next_transaction)

    async def count(self) -> int:
        """Count the corrections that wait to be published."""
        return int(await self._pool.fetchval(sql("outbox_count")))

    async def delete_page(self, page: OutboxPage) -> None:
        """Delete the entries of a published page; its lane is read on after it."""
        await self.settle(page.rows, page.next_transaction)
        page.lane.after = page.reached

    async def next_transaction(self) -> int:
        """The first transaction that has not begun yet; for `settle`, before rows are read."""
        return int(await self._pool.fetchval(_NEXT_TRANSACTION))

    def rows_in_portions(self, ids: Collection[UUID]) -> AsyncIterator[list[StoredRow]]:
        """Rows of the table, as many at once as memory may hold."""
        return self._reader.portions(list(ids))

    async def settle(self, rows: Sequence[StoredRow], next_transaction: int) -> None:
        """Delete the entries of published rows that the table has as they were published.

        Another process may have published a row meanwhile, in a later revision or its tombstone, and
        deleted the entry: of a row that the table has otherwise by now, or no more, that is published again.

        Args:
            next_transaction: the first that had not begun when the rows were read.
        """
        await self._pool.execute(
            sql("outbox_settle"),
            [row.content.id for row in rows],
            [row.revision for row in rows],
            next_transaction,
        )


async def publish_removals(outbox: ProvenanceOutbox, event_publisher: EventPublisher) -> int:
    """Publish a tombstone for every row that a repair has removed; how many.

    Raises:
        UnavailableError: removals that were not marked are published at the next call.
    """
    published = 0
    while (removed := await outbox.removed(ROWS_AT_ONCE)).ids:
        await event_publisher.publish_removals(removed.ids)
        await outbox.mark_removals_published(removed)
        published += len(removed.ids)
    return published
