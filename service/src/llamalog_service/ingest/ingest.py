"""The ingest: a batch of messages becomes rows, provenance, dead letters and commands.

Read `Ingest.prepare`, `record` and `publish`, in this order. Each may be repeated: after a crash the batch is
delivered again, its rows are found in the table, and what may be missing is published again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from itertools import islice
from typing import NamedTuple, TypeVar, cast
from uuid import UUID

from llamalog_schemas.commands import RecomputeReason
from llamalog_schemas.provenance import Origin
from llamalog_service.domain.erasures import Erasure
from llamalog_service.domain.errors import RowExistsError, RowRefusedError, UnavailableError
from llamalog_service.domain.legacy import LegacyContent
from llamalog_service.domain.lineage import OPEN, Root
from llamalog_service.domain.overrides import RootOverride
from llamalog_service.domain.roots import UNSEEN, JobFacts, Resolved, jobs_named, resolve
from llamalog_service.domain.rows import Content, RowContent, StoredRow
from llamalog_service.ingest.batch import (
    ClassifiedBatch,
    DecodedBatch,
    classify,
    decode_in_turns,
    erase_batch,
    without_refused,
    without_refused_overrides,
)
from llamalog_service.ingest.batch_stats import (
    BatchOutcome,
    count_categories,
    count_events,
    count_roots,
    log_batch,
)
from llamalog_service.kafka.publisher import EventPublisher
from llamalog_service.kafka.reader import Record
from llamalog_service.log.erasures import ErasuresChangedError
from llamalog_service.log.log_store import CommittedBatch, LogStore, Positions
from llamalog_service.log.readable import Readable, read_by_halves, read_readable
from llamalog_service.log.row_copy import FIRST_REVISION
from llamalog_service.retry import retry_until_available
from llamalog_service.telemetry.metrics import NULL_METRICS, Metrics

_COLLISIONS = 3
"""Collisions with other writers of a batch, after which rows that a policy hides are looked for."""

_Key = TypeVar("_Key")
_Result = TypeVar("_Result")

FetchFacts = Callable[[Collection[str]], Awaitable[dict[str, JobFacts]]]


class JobCache:
    """Facts of recently recorded jobs, at most `capacity` of them: a hint, never the truth.

    Two generations: when the young one is full the old one is dropped as a whole, which costs less for each
    job than to know the order of all.
    """

    def __init__(self, capacity: int, metrics: Metrics = NULL_METRICS) -> None:
        self._metrics = metrics
        self._half = capacity // 2
        self._young: dict[str, JobFacts] = {}
        self._old: dict[str, JobFacts] = {}

    async def facts(self, jobs: Collection[str], fetch: FetchFacts) -> dict[str, JobFacts]:
        """The facts of these jobs, those not cached from one call of `fetch`."""
        young, old = self._young.get, self._old.get
        known = {job: facts for job in jobs if (facts := young(job) or old(job)) is not None}
        self._metrics.cache(len(known), len(jobs) - len(known))
        return known | await fetch([job for job in jobs if job not in known])

    def remember(self, facts: Mapping[str, JobFacts]) -> None:
        """Cache the facts of jobs that have been seen; that a job was not seen may be untrue in a moment."""
        seen = {job: known for job, known in facts.items() if known.seen}
        self.forget(facts.keys() - seen.keys())
        if len(self._young) + len(seen) > self._half:
            self._old, self._young = self._young, {}
        self._young.update(islice(seen.items(), self._half))

    def forget(self, jobs: Collection[str]) -> None:
        """Drop jobs whose facts are stale."""
        for job in jobs:
            self._young.pop(job, None)
            self._old.pop(job, None)


class PreparedBatch(NamedTuple):
    """A decoded batch, and the positions that it reaches."""

    decoded: DecodedBatch
    positions: Positions


class RecordedBatch(NamedTuple):
    """A committed batch: how it was classified and resolved, and the transaction that wrote it."""

    decoded: DecodedBatch
    classified: ClassifiedBatch
    resolved: Resolved
    recorded: CommittedBatch


class Ingest:
    """Ingests the batches of a consumer group; one may be recorded while another is published."""

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
        self._publishing: set[asyncio.Task[None]] = set()

    async def prepare(self, records: Sequence[Record]) -> PreparedBatch:
        """Decode a batch and determine the positions that it reaches.

        Args:
            records: each partition's in order.
        """
        return PreparedBatch(await decode_in_turns(records), _positions(self._group, records))

    async def record(self, prepared: PreparedBatch) -> RecordedBatch:
        """Resolve a batch's roots, and commit its rows with the positions.

        Raises:
            UnavailableError: PostgreSQL is unavailable; calling again with the same batch is safe.
        """
        batch = await self._write(*prepared)
        self._cache.remember(batch.resolved.jobs)
        new = batch.classified.new
        self._metrics.jobs(batch.resolved.jobs.keys())
        self._metrics.recorded(*count_roots(new, batch.resolved.roots[: len(new)]))
        return batch

    async def publish(self, batch: RecordedBatch) -> BatchOutcome:
        """Verify the batch, and publish provenance, dead letters and commands; then offsets may be committed.

        Raises:
            UnavailableError: PostgreSQL or Kafka is unavailable; calling again is safe.
        """
        decoded, classified, *_ = batch
        rows = await self._rows_to_publish(batch)
        parent_changed, root_disagrees = await self._verify_and_publish(batch, rows)
        await self._event_publisher.request_recompute(parent_changed, RecomputeReason.PARENT_CHANGED)
        await self._event_publisher.request_recompute(root_disagrees, RecomputeReason.ROOT_DISAGREES)
        overridden = {override.job_id for override in decoded.overrides_of(RootOverride)}
        await self._event_publisher.request_recompute(overridden, RecomputeReason.ADOPTION_CHANGED)
        self._metrics.events(count_events(decoded, classified))
        outcome = BatchOutcome(
            recorded=count_categories(classified.new),
            duplicates=classified.duplicates,
            dead_letters=len(decoded.rejected) + len(classified.rejected),
            tombstones=decoded.tombstones,
            stale_jobs_found=len(parent_changed) + len(root_disagrees),
        )
        log_batch(outcome, classified.new, batch.resolved.roots)
        return outcome

    async def _verify_and_publish(
        self, batch: RecordedBatch, rows: Sequence[StoredRow]
    ) -> tuple[set[str], set[str]]:
        """Verify the batch while its provenance and dead letters are published; ends when all of them have.

        Provenance is left on its way where the batch is given up: its partitions may be another consumer's
        by then, which has published later revisions.
        """
        provenance = asyncio.create_task(self._publish_provenance(rows))
        self._publishing.add(provenance)
        provenance.add_done_callback(self._end_publishing)
        stale, *outcomes = await asyncio.gather(
            self._verify_after_commit(batch),
            asyncio.shield(provenance),
            self._event_publisher.publish_dead_letters(batch.decoded.rejected + batch.classified.rejected),
            return_exceptions=True,
        )
        for outcome in (stale, *outcomes):
            if isinstance(outcome, BaseException):
                raise outcome
        return cast("tuple[set[str], set[str]]", stale)

    async def _publish_provenance(self, rows: Sequence[StoredRow]) -> None:
        """Publish rows, and note those that the table has otherwise by now, also after a failure."""
        failure: UnavailableError | None = None
        try:
            await self._event_publisher.publish_provenance(rows)
        except UnavailableError as error:
            failure = error
        await retry_until_available(
            lambda: _read(rows, self._store.requeue_overtaken, doing="verifying a batch"),
            doing="verifying a batch",
        )
        if failure is not None:
            raise failure

    def _end_publishing(self, provenance: asyncio.Task[None]) -> None:
        self._publishing.discard(provenance)
        if not provenance.cancelled():
            provenance.exception()  # a batch that was given up is published again by who reads it next

    async def _write(self, decoded: DecodedBatch, positions: Positions) -> RecordedBatch:
        """Resolve and commit; start over where another writer was faster or PostgreSQL refuses a row."""
        collisions = 0
        is_marked = False
        while True:
            try:
                stored, facts = await asyncio.gather(
                    self._store.known_rows(decoded.rows),
                    self._cache.facts(jobs_named(decoded.rows), self._readable_facts),
                )
            except RowRefusedError as refusal:
                decoded = without_refused(decoded, await self._unreadable_rows(decoded.rows, refusal))
                continue
            known_erasures = self._store.erasures.with_all(decoded.overrides_of(Erasure))
            erasing = erase_batch(decoded, stored, known_erasures)
            classified = await classify(erasing, stored, self._store)
            rows: list[Content] = classified.new + [known.content for known in classified.repeated]
            retracted = {known.content.id for known in classified.repeated if known.retracted}
            resolved = resolve(rows, facts, retracted)
            roots = resolved.roots[: len(classified.new)]
            sourced = () if is_marked else classified.legacy_ids
            try:
                recorded = await self._store.write(
                    classified.new,
                    roots,
                    decoded.overrides,
                    positions,
                    sourced=sourced,
                    erased=erasing.erased,
                )
            except ErasuresChangedError:
                continue
            except RowExistsError:
                collisions += 1
                if collisions > _COLLISIONS:  # a row that a policy hides would never be found
                    hidden = await self._store.refused_rows(classified.new, roots, erasing.erased)
                    decoded = without_refused(decoded, hidden)
                continue
            except RowRefusedError as refusal:
                if refused := await self._store.refused_rows(classified.new, roots, erasing.erased):
                    decoded = without_refused(decoded, refused)
                elif overrides := await self._store.refused_overrides(decoded.overrides):
                    decoded = without_refused_overrides(decoded, overrides)
                elif sourced:
                    await self._store.mark_apart(sourced)
                    is_marked = True
                else:
                    raise UnavailableError(f"a batch is refused, none of its rows is: {refusal}") from refusal
                continue
            return RecordedBatch(erasing, classified, resolved, recorded)

    async def _unreadable_rows(
        self, rows: Sequence[Content], refusal: RowRefusedError
    ) -> dict[UUID, RowRefusedError]:
        """The rows of a batch that the table has and that cannot be read, each tried by itself.

        Raises:
            UnavailableError: there is none.
        """
        _, unreadable = await read_by_halves(rows, self._store.known_rows)
        if not unreadable:
            raise UnavailableError(f"the table cannot be read: {refusal}") from refusal
        return {one.key.id: one.refusal for one in unreadable}

    async def _readable_facts(self, jobs: Collection[str]) -> dict[str, JobFacts]:
        """The facts of jobs; one whose rows cannot be read counts as not seen, and is verified later."""
        found = await _read(list(jobs), self._store.job_facts, doing="resolving a batch")
        facts = dict.fromkeys(found.unreadable, UNSEEN)
        for some in found.results:
            facts.update(some)
        return facts

    async def _rows_to_publish(self, batch: RecordedBatch) -> list[StoredRow]:
        """New rows and those that were there already: a crash may have come before they were published.

        Legacy rows are published as the table has them: PostgreSQL decides the value of a text.
        """
        revisions, erased = batch.recorded.revisions, batch.decoded.erased
        new = [
            StoredRow(
                row,
                root,
                revisions.get(row.id, FIRST_REVISION) if revisions else FIRST_REVISION,
                batch.recorded.recorded_at,
                erased=bool(erased) and row.id in erased,  # a UUID takes long to be hashed
            )
            for row, root in zip(batch.classified.new, batch.resolved.roots, strict=False)
            if type(row) is RowContent
        ]
        if len(new) < len(batch.classified.new):
            legacy = [row.id for row in batch.classified.new if type(row) is LegacyContent]
            found = await _read(legacy, self._store.rows_by_id, doing="publishing a batch")
            new += [row for some in found.results for row in some.values()]
        return new + batch.classified.repeated

    async def _verify_after_commit(self, batch: RecordedBatch) -> tuple[set[str], set[str]]:
        """Compare, after the commit, the roots that were used with the table's.

        Two transactions can miss each other, one writing a child and not seeing the parent, the other
        the parent and not seeing the child. The one that verifies last, after its commit, finds the gap.
        A job whose rows cannot be read counts as stale.

        Returns:
            The jobs below which roots must be recomputed: those whose parent the batch changed, and those
            whose root turned out to be another.
        """
        _, classified, resolved, recorded = batch
        relied_on = resolved.relied_on
        facts = await _read(list(relied_on), self._store.job_facts, doing="verifying a batch")
        fresh = {job: found for some in facts.results for job, found in some.items()}
        moved = {job for job, used in relied_on.items() if job not in fresh or _has_moved(used, fresh[job])}
        moved |= _outdated_jobs(classified.repeated, resolved.roots[len(classified.new) :])
        suspicious = resolved.changed | _unresolved_jobs(classified.repeated, resolved)

        async def stale_jobs(jobs: Sequence[str]) -> set[str]:
            some = {job: resolved.jobs[job] for job in jobs}
            return await self._store.stale_jobs(some, suspicious, recorded.transaction)

        found = await _read(list(resolved.jobs), stale_jobs, doing="verifying a batch")
        stale = set(found.unreadable).union(*found.results)
        self._cache.remember(fresh)
        self._cache.forget(stale)
        return stale & resolved.changed, moved | stale - resolved.changed


def _positions(group: str, records: Sequence[Record]) -> Positions:
    # Each partition's are in order.
    lasts = {(record.topic, record.partition): record.offset for record in records}
    return Positions(group, {partition: last + 1 for partition, last in lasts.items()})


async def _read(
    keys: Sequence[_Key], read: Callable[[Sequence[_Key]], Awaitable[_Result]], *, doing: str
) -> Readable[_Key, _Result]:
    """Read for all keys at once, and one part after the other only where some cannot be read."""
    try:
        return Readable([await read(keys)], [])
    except RowRefusedError:
        return await read_readable(keys, read, doing=doing)


def _has_moved(used: JobFacts, fresh: JobFacts) -> bool:
    return (used.seen, used.resolution) != (fresh.seen, fresh.resolution)


def _outdated_jobs(repeated: Sequence[StoredRow], roots: Sequence[Root]) -> set[str]:
    """The first jobs of redelivered rows whose root is another by now than the one written."""
    starts = {
        row.content.parent_job_id if row.content.job_id is None else row.content.job_id
        for row, root in zip(repeated, roots, strict=True)
        if row.root != root
    }
    return {start for start in starts if start is not None}


def _unresolved_jobs(repeated: Sequence[StoredRow], resolved: Resolved) -> set[str]:
    """Jobs of redelivered rows without a root: the batch that wrote them may not have been verified."""
    jobs = {row.content.job_id for row in repeated}
    return {
        job
        for job in jobs
        if job is not None
        and (
            resolved.jobs[job].resolution.origin in OPEN
            or resolved.jobs[job].resolution.origin is Origin.CYCLE
        )
    }
