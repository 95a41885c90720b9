"""The main job: a batch of messages becomes rows, provenance, dead rejected and commands.

Read `Ingest.prepare`, `record` and `tell`, in this order. Each may be done again: after a crash the batch
is delivered again, its rows are found in the table, and whatever may be missing is published anew.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from llamalog_schemas.commands import RecomputeReason
from llamalog_schemas.provenance import Origin
from llamalog_service.domain.errors import RowExistsError, RowRefusedError, UnavailableError
from llamalog_service.domain.legacy import LegacyContent
from llamalog_service.domain.lineage import OPEN, Root
from llamalog_service.domain.roots import JobFacts, Resolved, jobs_named, resolve
from llamalog_service.domain.rows import Content, RowContent, StoredRow
from llamalog_service.domain.verdicts import DeadLetter
from llamalog_service.ingest.batch_stats import by_category, what_became_of, what_was_recorded
from llamalog_service.ingest.decode import DecodedBatch, decode_batch
from llamalog_service.ingest.deduplication import ClassifiedBatch, classify
from llamalog_service.ingest.job_cache import JobCache
from llamalog_service.kafka.dead_letters import Record, RejectedRecord
from llamalog_service.kafka.publisher import EventPublisher
from llamalog_service.log.log_store import FIRST_REVISION, LogStore, Recorded
from llamalog_service.log.positions import Positions
from llamalog_service.telemetry.metrics import NULL_METRICS, Metrics

REFUSED = "refused-by-database"
"""The reason code of a dead letter that the contract allows and PostgreSQL does not."""


class BatchOutcome(NamedTuple):
    """What became of a batch, counted in messages; those recorded by category."""

    recorded: Mapping[str, int]
    duplicates: int
    dead_letters: int
    tombstones: int
    stale_jobs_found: int


class PreparedBatch(NamedTuple):
    """A batch decoded, and the positions that it reaches."""

    decoded: DecodedBatch
    positions: Positions


class RecordedBatch(NamedTuple):
    """A committed batch: what was new, how it was resolved, and the transaction that wrote it."""

    decoded: DecodedBatch
    classified: ClassifiedBatch
    resolved: Resolved
    recorded: Recorded


class Ingest:
    """Ingests the batches of a topic for a consumer group; one may be recorded while another is told."""

    def __init__(
        self,
        store: LogStore,
        event_publisher: EventPublisher,
        cache: JobCache,
        *,
        group: str,
        metrics: Metrics = NULL_METRICS,
    ) -> None:
        self._store = store
        self._event_publisher = event_publisher
        self._cache = cache
        self._group = group
        self._metrics = metrics

    def prepare(self, records: Sequence[Record]) -> PreparedBatch:
        """Decode a batch and say how far it reaches.

        Args:
            records: messages of one topic, each partition's in order.
        """
        return PreparedBatch(decode_batch(records), _positions(self._group, records))

    async def record(self, prepared: PreparedBatch) -> RecordedBatch:
        """Resolve a batch's roots, and commit its rows with the positions.

        Raises:
            UnavailableError: PostgreSQL is away; calling again with the same batch is safe.
        """
        written = await self._write(*prepared)
        self._cache.remember(written.resolved.jobs)
        new = written.classified.new
        self._metrics.jobs(written.resolved.jobs.keys())
        self._metrics.recorded(*what_was_recorded(new, written.resolved.roots[: len(new)]))
        return written

    async def publish(self, written: RecordedBatch) -> BatchOutcome:
        """Look again, and publish provenance, dead rejected and commands; then offsets may be committed.

        Raises:
            UnavailableError: PostgreSQL or Kafka is away; calling again is safe.
        """
        decoded, classified, *_ = written
        rows = await self._rows_to_tell(written)
        (parent_changed, root_disagrees), *_ = await asyncio.gather(
            self._look_again(written),
            self._event_publisher.publish_provenance(rows),
            self._event_publisher.publish_dead_letters(decoded.rejected + classified.rejected),
        )
        await self._store.note_overtaken(rows)
        await self._event_publisher.request_recompute(parent_changed, RecomputeReason.PARENT_CHANGED)
        await self._event_publisher.request_recompute(root_disagrees, RecomputeReason.ROOT_DISAGREES)
        await self._event_publisher.request_recompute(
            {override.job_id for override in decoded.overrides}, RecomputeReason.ADOPTION_CHANGED
        )
        recorded = by_category(classified.new)
        self._metrics.events(what_became_of(decoded, classified))
        return BatchOutcome(
            recorded=recorded,
            duplicates=classified.duplicates,
            dead_letters=len(decoded.rejected) + len(classified.rejected),
            tombstones=decoded.tombstones,
            stale_jobs_found=len(parent_changed) + len(root_disagrees),
        )

    async def _write(self, decoded: DecodedBatch, positions: Positions) -> RecordedBatch:
        """Resolve and commit; begin anew where another writer was faster or PostgreSQL refuses a row."""
        while True:
            stored, facts = await asyncio.gather(
                self._store.rows_by_id([row.id for row in decoded.rows]),
                self._cache.facts(jobs_named(decoded.rows), self._store.job_facts),
            )
            classified = await classify(decoded, stored, self._store)
            rows: list[Content] = classified.new + [known.content for known in classified.repeated]
            resolved = resolve(rows, facts)
            roots = resolved.roots[: len(classified.new)]
            try:
                recorded = await self._store.record(
                    classified.new, roots, decoded.overrides, positions, legacy_told=classified.legacy_told
                )
            except RowExistsError:
                continue
            except RowRefusedError as refusal:
                refused = await self._store.refused_rows(classified.new, roots)
                if not refused:
                    raise UnavailableError(f"a batch is refused, none of its rows is: {refusal}") from refusal
                decoded = _without(decoded, refused)
                continue
            return RecordedBatch(decoded, classified, resolved, recorded)

    async def _rows_to_tell(self, written: RecordedBatch) -> list[StoredRow]:
        """New rows and those that were there already: the crash may have come before they were told.

        Legacy rows are told as the table has them: what a text becomes there is for PostgreSQL to say.
        """
        new = [
            StoredRow(row, root, FIRST_REVISION, written.recorded.recorded_at)
            for row, root in zip(written.classified.new, written.resolved.roots, strict=False)
            if type(row) is RowContent
        ]
        if len(new) < len(written.classified.new):
            legacy = [row.id for row in written.classified.new if type(row) is LegacyContent]
            new += (await self._store.rows_by_id(legacy)).values()
        return new + written.classified.repeated

    async def _look_again(self, written: RecordedBatch) -> tuple[set[str], set[str]]:
        """After the commit: what another writer did meanwhile, and what this batch changes for other rows.

        Two transactions can miss each other, one writing a child and not seeing the parent, the other
        the parent and not seeing the child. Whoever looks last, after its commit, finds the gap.

        Returns:
            The jobs below which roots must be recomputed: whose parent the batch changed, and whose root
            turned out to be another.
        """
        _, classified, resolved, recorded = written
        fresh = await self._store.job_facts(list(resolved.relied_on))
        moved = {job for job, used in resolved.relied_on.items() if _moved(used, fresh[job])}
        moved |= _outdated(classified.repeated, resolved.roots[len(classified.new) :])
        doubted = await self._store.stale_jobs(
            resolved.jobs, resolved.changed | _unsettled(classified.repeated, resolved), recorded.transaction
        )
        self._cache.remember(fresh)
        self._cache.forget(doubted)
        return doubted & resolved.changed, moved | doubted - resolved.changed


def _positions(group: str, records: Sequence[Record]) -> Positions:
    lasts = {record.partition: record.offset for record in records}  # each partition's in order
    return Positions(group, records[0].topic, {partition: last + 1 for partition, last in lasts.items()})


def _without(decoded: DecodedBatch, refused: Mapping[UUID, RowRefusedError]) -> DecodedBatch:
    """The batch without the rows that PostgreSQL refuses, their messages among the dead rejected."""
    kept = [pair for pair in zip(decoded.rows, decoded.records, strict=True) if pair[0].id not in refused]
    rejected = [
        RejectedRecord(record, DeadLetter(REFUSED, f"PostgreSQL refuses the row: {refused[row.id]}"))
        for row, record in zip(decoded.rows, decoded.records, strict=True)
        if row.id in refused
    ]
    return decoded._replace(
        rows=[row for row, _ in kept],
        records=[record for _, record in kept],
        rejected=decoded.rejected + rejected,
    )


def _moved(used: JobFacts, fresh: JobFacts) -> bool:
    return (used.seen, used.standing) != (fresh.seen, fresh.standing)


def _outdated(repeated: Sequence[StoredRow], roots: Sequence[Root]) -> set[str]:
    """Where the walks of redelivered rows start that have another root by now than the one written."""
    starts = {
        row.content.parent_job_id if row.content.job_id is None else row.content.job_id
        for row, root in zip(repeated, roots, strict=True)
        if row.root != root
    }
    return {start for start in starts if start is not None}


def _unsettled(repeated: Sequence[StoredRow], resolved: Resolved) -> set[str]:
    """Jobs of redelivered rows without a sure root: the batch that wrote them may have missed its look."""
    jobs = {row.content.job_id for row in repeated}
    return {
        job
        for job in jobs
        if job is not None
        and (resolved.jobs[job].standing.origin in OPEN or resolved.jobs[job].standing.origin is Origin.CYCLE)
    }
