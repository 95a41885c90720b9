"""Repair of the live table: contents from the shadow, roots by the recompute, corrections published."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg
import structlog

from llamalog_service.domain.legacy import LegacyContent
from llamalog_service.domain.rows import Content
from llamalog_service.kafka.publisher import EventPublisher
from llamalog_service.log.corrections import REPAIR, begin_correction
from llamalog_service.log.outbox import ProvenanceOutbox, publish_removals
from llamalog_service.log.recompute import (
    BY_INDEX,
    LOCK_TIMEOUT_SECONDS,
    NoProgressError,
    RecomputeStore,
    recompute_until_converged,
)
from llamalog_service.log.row_copy import add_producers, producers_of
from llamalog_service.log.row_writes import write_by_halves
from llamalog_service.postgres.locks import lock_recompute
from llamalog_service.postgres.statements import sql
from llamalog_service.rebuild.comparison import DIFFERENCES_BY_ID
from llamalog_service.rebuild.ports import SCHEMA, History, MessagePosition, OnProgress, RebuildProgress
from llamalog_service.rebuild.reading import read_into
from llamalog_service.rebuild.shadow import (
    INDEX_ROWS,
    ShadowBatch,
    add_shadow_producers,
    apply_to_shadow,
    compared_shadow,
    keep_shadow_overrides,
    write_batch,
)
from llamalog_service.retry import retry_until_available

_BATCH: Final = 200
_NO_REASON: Final = "it was written, or left out, without an error, and is not as its event has it"
_INDEXES: Final = f"""
    {INDEX_ROWS};
    {DIFFERENCES_BY_ID};
    CREATE INDEX IF NOT EXISTS legacy_rows_id ON {SCHEMA}.legacy_rows (row_id)
"""
_FORGET: Final = f"""
    WITH gone AS (DELETE FROM {SCHEMA}.legacy_rows WHERE row_id = ANY ($1::uuid[]))
    DELETE FROM {SCHEMA}.llama_logs WHERE id = ANY ($1::uuid[])
"""  # noqa: S608
"""Of rows of which the shadow had no event: what an earlier try has written."""

_log = structlog.get_logger("llamalog.rebuild")


class Difference(NamedTuple):
    """A differing row, and the jobs below which its difference may have changed roots."""

    id: UUID
    starts: Sequence[str]


class RepairOutcome(NamedTuple):
    """The end of a repair.

    Attributes:
        left: the rows that still differ, with the reasons.
        deleted: rows without an event that were deleted.
        restored: those of the deleted rows that were inserted again, since their events came meanwhile.
        refused_overrides: the reasons, by override.
    """

    left: dict[str, str]
    deleted: int
    restored: int
    refused_overrides: dict[str, str]


class RepairStore:
    """Applies the differences of a comparison, over a pool whose connections plan every statement anew.

    What reads the shadow raises ShadowLostError where a crash has emptied it.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def prepare(self) -> None:
        """Index the shadow's rows by id, and give their producers numbers."""
        async with compared_shadow(self._pool) as connection:
            async with connection.transaction():
                await connection.execute(_INDEXES)
            await add_shadow_producers(connection)

    async def next(self, after: UUID | None, limit: int) -> list[Difference]:
        """The next differences that are not repaired, in the order of their rows' ids."""
        async with compared_shadow(self._pool) as connection:
            records = await connection.fetch(sql("repair_next"), after, limit)
        return [Difference(record["id"], record["starts"]) for record in records]

    async def first_revision(self) -> int:
        """The revision for rows that are inserted again."""
        return int(await self._pool.fetchval(sql("repair_revision")))

    async def repair_overrides(self) -> tuple[set[str], dict[UUID, str]]:
        """Insert and correct overrides; the jobs that these are about, and the reasons of refused ones."""
        jobs: set[str] = set()
        async with compared_shadow(self._pool) as connection, connection.transaction():
            await lock_recompute(connection)
            await keep_shadow_overrides(connection, are_applied=False)
            ids = [record["id"] for record in await connection.fetch(sql("repair_override_ids"))]

            async def write(some: Sequence[UUID]) -> None:
                written = await connection.fetch(sql("repair_overrides"), some)
                jobs.update(record["job_id"] for record in written)

            return jobs, await write_by_halves(connection, "override", ids, write)

    async def repair(self, rows: Collection[UUID], revision: int) -> dict[UUID, str]:
        """Make live rows equal to the shadow's, except for their roots, in one transaction.

        Each is compared once more: a row that live traffic has corrected since the comparison is not
        written. A row that PostgreSQL refuses is set aside.

        Args:
            revision: of rows that are inserted.

        Returns:
            The refused rows, with the reasons.

        Raises:
            RowsLockedError: other transactions hold some of the rows; nothing was written.
            UnavailableError: the commit's outcome may be unknown; repeating is safe.
        """
        async with compared_shadow(self._pool) as connection, connection.transaction():
            await begin_correction(connection, REPAIR)
            await connection.execute(
                f"SET LOCAL lock_timeout = {round(LOCK_TIMEOUT_SECONDS * 1000)}; {BY_INDEX}"
            )

            async def write(ids: Sequence[UUID]) -> None:
                await connection.execute(sql("repair_missing"), ids, revision)
                await connection.execute(sql("repair_legacy"), ids)
                await connection.execute(sql("repair_extra"), ids)
                await connection.execute(sql("repair_content"), ids)
                await connection.execute(sql("repair_untracked"), ids)
                await connection.execute(sql("repair_done"), ids)

            return await write_by_halves(connection, "content", list(rows), write)

    async def unrepaired(self) -> dict[UUID, str | None]:
        """The differing rows that still are not as the shadow has them, with the reasons that were noted."""
        async with compared_shadow(self._pool) as connection:
            await connection.execute(sql("compare_prepare"))
            records = await connection.fetch(sql("repair_verify"))
        return {record["id"]: record["reason"] for record in records}

    async def deleted(self) -> set[UUID]:
        """The rows that were deleted because they have no event."""
        async with compared_shadow(self._pool) as connection:
            return {record["id"] for record in await connection.fetch(sql("repair_deleted"))}

    async def write(self, batch: ShadowBatch) -> None:
        """Write to the shadow events of deleted rows that came after the comparison; again is safe."""
        async with compared_shadow(self._pool) as connection, connection.transaction():
            await connection.execute(_FORGET, [row.id for row in batch.rows])
            await write_batch(connection, batch)
            await apply_to_shadow(connection)
        await add_producers(self._pool, producers_of(batch.rows))


class Repair:
    """Applies the differences of a comparison while the service goes on."""

    def __init__(
        self,
        store: RepairStore,
        *,
        recompute: RecomputeStore,
        outbox: ProvenanceOutbox,
        event_publisher: EventPublisher,
        on_progress: OnProgress,
    ) -> None:
        self._store = store
        self._recompute_store = recompute.caused_by(REPAIR)
        self._outbox = outbox
        self._event_publisher = event_publisher
        self._on_progress = on_progress
        self._refused: dict[UUID, str] = {}

    async def run(
        self,
        differing: int,
        history: History,
        next_offsets: Mapping[int, int],
        check_lock: Callable[[], None],
    ) -> RepairOutcome:
        """Repair every difference, then insert deleted rows of which an event has come since, and look again.

        Args:
            differing: how many rows differ, for the progress.
            next_offsets: of the shadow, by partition.
            check_lock: called before writes that would disturb another rebuild; raises RebuildLockLostError.

        Raises:
            ShadowLostError: a crash of PostgreSQL has emptied the shadow; rows repaired stay repaired.
        """
        self._refused.clear()
        await retry_until_available(self._recompute_store.retry_refused, doing="trying rows set aside again")
        await retry_until_available(self._store.prepare, doing="indexing", may_take_long=True)
        check_lock()
        jobs, refused = await retry_until_available(self._store.repair_overrides, doing="repairing overrides")
        await self._recompute(jobs)
        revision = await retry_until_available(
            self._store.first_revision, doing="reading the highest revision", may_take_long=True
        )
        done, after = 0, None
        while batch := await self._store.next(after, _BATCH):
            await self._repair([difference.id for difference in batch], revision, check_lock)
            await self._recompute({start for difference in batch for start in difference.starts})
            await self._publish([difference.id for difference in batch])
            after = batch[-1].id
            done += len(batch)
            self._on_progress(RebuildProgress("repairing", done, differing))
        deleted = await retry_until_available(self._store.deleted, doing="reading deleted rows")
        restored = await self._restore(deleted, history, next_offsets, revision, check_lock)
        left = await retry_until_available(self._store.unrepaired, doing="looking again", may_take_long=True)
        return RepairOutcome(
            {str(row): reason or self._refused.get(row, _NO_REASON) for row, reason in left.items()},
            deleted=len(deleted - left.keys()),
            restored=len(restored - left.keys()),
            refused_overrides={str(override): reason for override, reason in refused.items()},
        )

    async def _restore(
        self,
        deleted: Collection[UUID],
        history: History,
        next_offsets: Mapping[int, int],
        revision: int,
        check_lock: Callable[[], None],
    ) -> set[UUID]:
        """Insert deleted rows of which an event has come since the comparison, and return them.

        A consumer may have read that event before the row was deleted, and found a duplicate: all events up
        to now are read. A consumer that reads a later one finds no row, and inserts it.
        """
        if not deleted:
            return set()
        spans = await retry_until_available(history.spans, doing="reading the topic's offsets")
        ends = {partition: span.end for partition, span in spans.items()}
        later = _LaterEvents(deleted)

        async def write(batch: ShadowBatch) -> None:
            if chosen := later.chosen(batch):
                check_lock()
                await self._store.write(chosen)

        async def read(take: Callable[[ShadowBatch], Awaitable[None]]) -> None:
            await retry_until_available(
                lambda: read_into(take, history, next_offsets, ends, self._on_progress),
                doing="reading events after the comparison",
                may_take_long=True,
            )

        await read(later.note)
        if not later.found:
            return set()
        await read(write)
        await self._repair(later.found.keys(), revision, check_lock)
        await self._recompute(later.starts)
        await self._publish(later.found.keys())
        return set(later.found)

    async def _repair(self, rows: Collection[UUID], revision: int, check_lock: Callable[[], None]) -> None:
        async def repair() -> None:
            check_lock()
            self._refused.update(await self._store.repair(rows, revision))

        await retry_until_available(repair, doing="repairing rows")

    async def _recompute(self, starts: Collection[str]) -> None:
        if not starts:
            return
        try:
            await retry_until_available(
                lambda: recompute_until_converged(self._recompute_store, starts),
                doing="repairing roots",
                may_take_long=True,
            )
        except NoProgressError as none:  # the rows are found when it looks again
            _log.error("repair of roots failed", error=str(none))

    async def _publish(self, rows: Collection[UUID]) -> None:
        """Publish corrections; those that a crash leaves in the outbox the migration consumer publishes."""

        async def publish() -> None:
            next_transaction = await self._outbox.next_transaction()
            async for stored in self._outbox.rows_in_portions(rows):
                await self._event_publisher.publish_provenance(stored)
                await self._outbox.settle(stored, next_transaction)
            await publish_removals(self._outbox, self._event_publisher)

        await retry_until_available(publish, doing="publishing corrections")


class _LaterEvents:
    """Of the events of some rows the one that counts: a legacy row's, else that of the lowest offset.

    They are read twice, since they may be larger than memory.

    Attributes:
        found: the ranks of these events, by row.
        starts: the jobs below which they may change roots.
    """

    def __init__(self, rows: Collection[UUID]) -> None:
        self._rows = rows
        self.found: dict[UUID, tuple[bool, MessagePosition]] = {}
        self.starts: set[str] = set()

    async def note(self, batch: ShadowBatch) -> None:
        for row, position in zip(batch.rows, batch.positions, strict=True):
            if row.id in self._rows:
                rank = _rank(row, position)
                self.found[row.id] = min(rank, self.found.get(row.id, rank))

    def chosen(self, batch: ShadowBatch) -> ShadowBatch | None:
        """Those of a batch that count; None if there is none."""
        chosen = [
            (row, position)
            for row, position in zip(batch.rows, batch.positions, strict=True)
            if self.found.get(row.id) == _rank(row, position)
        ]
        starts = [row.parent_job_id if row.job_id is None else row.job_id for row, _ in chosen]
        self.starts.update(start for start in starts if start is not None)
        if not chosen:
            return None
        return ShadowBatch(
            [row for row, _ in chosen], [position for _, position in chosen], erased=batch.erased
        )


def _rank(row: Content, position: MessagePosition) -> tuple[bool, MessagePosition]:
    return not isinstance(row, LegacyContent), position
