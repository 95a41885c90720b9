"""Republishing of provenance records, for consumers that have lost their view."""

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg
import msgspec

from llamalog_service.kafka.publisher import EventPublisher
from llamalog_service.log.outbox import ProvenanceOutbox
from llamalog_service.log.row_writes import write_by_halves
from llamalog_service.postgres.locks import lock_recompute
from llamalog_service.postgres.statements import sql
from llamalog_service.rebuild.ports import OnProgress, RebuildProgress
from llamalog_service.retry import retry_until_available

_BATCH: Final = 500
_SUPERSEDING: Final = 1000
"""What revisions are raised by: more corrections of one row than a database loses by going back."""


class RepublishSelection(NamedTuple):
    """The rows to republish: recorded since then (None: all), and of these roots or about these entities.

    Without roots and entities, those of all.
    """

    since: datetime | None = None
    roots: tuple[str, ...] = ()
    entities: tuple[UUID, ...] = ()


class RepublishStore:
    """Selects rows, over a pool whose connections plan every statement anew, and keeps the progress.

    Args:
        topic: the topic that rows are republished to.
    """

    def __init__(self, pool: asyncpg.Pool, topic: str) -> None:
        self._pool = pool
        self._topic = topic

    async def count(self, selection: RepublishSelection, after: UUID | None) -> int:
        """Count the rows that follow a row, in the order of ids."""
        return int(await self._pool.fetchval(sql("republish_count"), after, *selection))

    async def next(self, selection: RepublishSelection, after: UUID | None, limit: int) -> list[UUID]:
        """The next rows, in the order of ids."""
        records = await self._pool.fetch(sql("republish_rows"), after, *selection, limit)
        return [record["id"] for record in records]

    async def continue_revisions(self, ids: Sequence[UUID]) -> None:
        """Raise the revisions of rows that were removed and that another writer has put in again."""
        records = await self._pool.fetch(sql("republish_removed_before"), ids)
        if records:
            await self._raise_revisions([record["id"] for record in records], "republish_continue")

    async def supersede(self, ids: Sequence[UUID]) -> None:
        """Raise the revisions of rows above all that were published of them, be it from a lost database."""
        await self._raise_revisions(ids, "republish_supersede", _SUPERSEDING)

    async def _raise_revisions(self, ids: Sequence[UUID], name: str, *values: int) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            await lock_recompute(connection)

            async def raise_revisions(some: Sequence[UUID]) -> None:
                await connection.execute(sql(name), some, *values)

            await write_by_halves(connection, "supersede", ids, raise_revisions)

    async def progress(self, selection: RepublishSelection) -> UUID | None:
        """The last row that an interrupted run with the same selection has published, if there was one."""
        last: UUID | None = await self._pool.fetchval(sql("publishing_progress"), self._key(selection))
        return last

    async def advance(self, selection: RepublishSelection, last: UUID) -> None:
        """Record the last row that is published."""
        await self._pool.execute(sql("publishing_advance"), self._key(selection), last)

    async def finish(self, selection: RepublishSelection) -> None:
        """Delete the progress."""
        await self._pool.execute(sql("publishing_finish"), self._key(selection))

    def _key(self, selection: RepublishSelection) -> str:
        """Short enough for an index, however many roots are selected."""
        return f"{self._topic} {sha256(msgspec.json.encode(selection)).hexdigest()}"


class Republisher:
    """Publishes current rows again, marked as replayed, while the service goes on.

    Args:
        rate: rows a second at most; None: without a limit.
    """

    def __init__(
        self,
        store: RepublishStore,
        outbox: ProvenanceOutbox,
        event_publisher: EventPublisher,
        *,
        rate: float | None = None,
        on_progress: OnProgress = lambda _: None,
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._event_publisher = event_publisher
        self._rate = rate
        self._on_progress = on_progress

    async def run(
        self, selection: RepublishSelection, *, resume: bool = False, supersede: bool = False
    ) -> int:
        """Publish every selected row; how many. Retries while Kafka or PostgreSQL is away.

        Args:
            resume: continue an interrupted run with the same selection, if there was one.
            supersede: raise the rows' revisions first, for consumers that know higher ones from a database
                that was lost.
        """
        after = await self._begin(selection, resume=resume)
        total = await retry_until_available(
            lambda: self._store.count(selection, after), doing="counting rows", may_take_long=True
        )
        batch = _BATCH if self._rate is None else max(1, min(_BATCH, round(self._rate)))
        began, done = time.monotonic(), 0
        while ids := await self._next(selection, after, batch):
            done += await self._publish(ids, supersede=supersede)
            after = ids[-1]
            await self._advance(selection, after)
            self._on_progress(RebuildProgress("republishing rows", done, max(done, total)))
            if self._rate is not None:
                await asyncio.sleep(max(0.0, began + done / self._rate - time.monotonic()))
        await retry_until_available(lambda: self._store.finish(selection), doing="deleting the progress")
        return done

    async def _begin(self, selection: RepublishSelection, *, resume: bool) -> UUID | None:
        """The row to continue after, on request alone: else a consumer has lost all rows again."""
        if not resume:
            await retry_until_available(lambda: self._store.finish(selection), doing="deleting the progress")
            return None
        return await retry_until_available(
            lambda: self._store.progress(selection), doing="reading the progress"
        )

    async def _advance(self, selection: RepublishSelection, last: UUID) -> None:
        await retry_until_available(
            lambda: self._store.advance(selection, last), doing="recording the progress"
        )

    async def _next(self, selection: RepublishSelection, after: UUID | None, limit: int) -> list[UUID]:
        return await retry_until_available(
            lambda: self._store.next(selection, after, limit), doing="reading rows", may_take_long=True
        )

    async def _publish(self, ids: list[UUID], *, supersede: bool) -> int:
        """Publish rows; those corrected meanwhile are noted in the outbox, so that the latest comes last."""

        async def publish() -> int:
            await self._store.continue_revisions(ids)
            if supersede:
                await self._store.supersede(ids)
            published, next_transaction = 0, await self._outbox.next_transaction()
            async for stored in self._outbox.rows_in_portions(ids):
                await self._event_publisher.publish_provenance(stored, replayed=True)
                await self._outbox.settle(stored, next_transaction)
                published += len(stored)
            return published

        return await retry_until_available(publish, doing="republishing rows")
