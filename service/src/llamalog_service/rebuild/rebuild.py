"""The rebuild: read the topics into the shadow, compare it with the live table, repair or load that, report.

Start at `Rebuild.run`. Up to the comparison only the shadow is written, so that an interruption leaves the
live table as it was.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from itertools import islice
from typing import Final, NamedTuple

import asyncpg
from msgspec.structs import replace

from llamalog_service.kafka.reader import Span
from llamalog_service.log.log_store import TopicPartition
from llamalog_service.postgres.locks import RebuildInProgressError, RebuildLock
from llamalog_service.rebuild.comparison import (
    ANALYZE_SHADOW,
    NO_DIFFERENCES,
    NO_ROWS,
    NONE_UNSOURCED,
    ComparisonStore,
    Differences,
    Duplicates,
    RebuildSelection,
    Side,
    Unsourced,
    require_beginning,
    require_positions,
    require_within,
)
from llamalog_service.rebuild.errors import (
    ArchiveOnlyError,
    RowsPastPositionError,
    TooManyDeletesError,
    UnsourcedRowsError,
)
from llamalog_service.rebuild.initial_load import commit_loaded, resolving
from llamalog_service.rebuild.ports import CommitOffsets, History, OnProgress, RebuildProgress
from llamalog_service.rebuild.reading import OverridesRead, ReaderProcesses, Reading, read_into
from llamalog_service.rebuild.repair import Repair
from llamalog_service.rebuild.report import RebuildReport
from llamalog_service.rebuild.shadow import ReadProgress, ShadowBatch, ShadowStore
from llamalog_service.retry import retry_until_available

_EXAMPLES: Final = 20
_CONVERGENCE_INTERVAL: Final = 0.5
_CONVERGENCE_FACTOR: Final = 6
"""The wait for convergence is so many times as long while the migration consumer recomputes roots."""


class RebuildOptions(NamedTuple):
    """Options of a rebuild.

    Attributes:
        only: the rows to compare; all are rebuilt, since roots follow from all.
        discard: drop the shadow of another rebuild first.
        initial_load: load the live table if it is empty; else it stays empty.
        allow_unsourced: copy live rows and overrides without an event into the shadow, rather than refuse.
        add_enum_labels: add labels of legacy rows to the live table's enums.
        max_deletes: a repair that would delete more rows, which have no event, is refused.
        convergence_timeout: seconds that live traffic has to correct roots that its last events change.
        archive_only: the history is an archive that the consumer does not continue: load an empty live table
            without positions, and refuse one that is not empty.
        on_difference: called with every difference as a line of JSON.
        on_compared: called after the last difference, before anything is refused, repaired or loaded.
    """

    only: RebuildSelection = RebuildSelection()
    discard: bool = False
    initial_load: bool = True
    allow_unsourced: bool = False
    add_enum_labels: bool = False
    max_deletes: int = 100
    convergence_timeout: float = 10.0
    archive_only: bool = False
    on_difference: Callable[[str], None] = lambda _: None
    on_compared: Callable[[], None] = lambda: None


class _Comparison(NamedTuple):
    """A completed comparison, its differences in the shadow."""

    read: ReadProgress
    overrides_read: OverridesRead
    duplicates: Duplicates
    overrides_differing: int
    sides: tuple[Side, Side]
    unsourced: Unsourced


class Rebuild:
    """A rebuild of one installation's rows in one database.

    Args:
        pool: its connections plan every statement anew.
        history: the entity events, of `topic`.
        overrides: the overrides, of `overrides_topic`; they are few, and read anew for every comparison.
        group: the consumer group for which the positions of an initial load are recorded.
        source: a name for `history`; a shadow from another source is not resumed.
        begun_by: the user and process, for the error of a rebuild that finds this one's shadow.
        repair: applies the differences; None: they are reported alone.
        commit: commits the positions of an initial load; None: no broker keeps them.
        readers: read a long history with this process; None: it reads all.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        history: History,
        overrides: History,
        *,
        topic: str,
        overrides_topic: str,
        group: str,
        source: str = "the topic",
        begun_by: str = "",
        repair: Repair | None = None,
        commit: CommitOffsets | None = None,
        readers: ReaderProcesses | None = None,
        on_progress: OnProgress = lambda _: None,
    ) -> None:
        self._pool = pool
        self._lock = RebuildLock(pool)
        self._shadow = ShadowStore(pool)
        self._comparison = ComparisonStore(pool)
        self._history = history
        self._overrides = overrides
        self._reading = Reading(
            pool, history, overrides, self._shadow, lock=self._lock, readers=readers, on_progress=on_progress
        )
        self._topic = topic
        self._overrides_topic = overrides_topic
        self._group = group
        self._source = source
        self._begun_by = begun_by
        self._repair = repair
        self._commit = commit
        self._on_progress = on_progress

    async def run(self, options: RebuildOptions) -> RebuildReport:
        """Rebuild, compare, report; retries while Kafka or PostgreSQL is away.

        Raises:
            RebuildInProgressError: there is one at a time; nothing was done.
            RebuildRefusedError: a precondition does not hold; the live table is as it was.
            RebuildLockLostError: PostgreSQL was restarted; the same call resumes.
            ShadowLostError: PostgreSQL crashed after the comparison; the same call begins anew.
            PositionPastEndError: the topic was deleted and created again.
        """
        began = time.monotonic()
        async with self._lock.attempt() as is_held:
            if not is_held:
                raise RebuildInProgressError(
                    await self._lock.other_holder(),
                    "Nothing was done: there is one at a time. Wait for its end, or stop it.",
                )
            spans = await retry_until_available(self._history.spans, doing="reading the topic's offsets")
            require_beginning(self._topic, spans)
            override_spans = await self._override_spans()
            is_empty = await retry_until_available(
                self._comparison.is_live_empty, doing="reading the live table"
            )
            if options.archive_only and not is_empty:
                raise ArchiveOnlyError
            if not is_empty and not options.allow_unsourced:
                await self._require_sourced_rows()
            if options.discard:
                await self._shadow.discard()
            await self._shadow.create_or_resume(
                topic=self._topic,
                source=self._source,
                begun_by=self._begun_by,
                needs_all_labels=is_empty or options.add_enum_labels,
            )
            report = await (
                self._load(spans, override_spans, options) if is_empty else self._compare_and_repair(options)
            )
            self._lock.check()
            await self._shadow.discard()
        return replace(report, seconds=time.monotonic() - began)

    async def _override_spans(self) -> dict[int, Span]:
        """The offsets of the topic of overrides, whole, which the live table has not passed."""
        spans = await retry_until_available(
            self._overrides.spans, doing="reading the offsets of the overrides"
        )
        require_beginning(self._overrides_topic, spans)
        recorded = await retry_until_available(
            lambda: self._comparison.live_positions(self._overrides_topic),
            doing="reading the live table's positions",
        )
        require_within(self._overrides_topic, recorded, spans)
        return spans

    async def _require_sourced_rows(self) -> None:
        """Refuse before hours of reading; the comparison checks again."""
        unsourced = await retry_until_available(
            lambda: self._comparison.unsourced(_EXAMPLES),
            doing="counting rows without an event",
            may_take_long=True,
        )
        if unsourced.rows or unsourced.overrides:
            raise UnsourcedRowsError(*unsourced)

    async def _compare_and_repair(self, options: RebuildOptions) -> RebuildReport:
        ends = await self._comparison.live_positions(self._topic)
        spans = await retry_until_available(self._history.spans, doing="reading the topic's offsets")
        require_positions(self._topic, ends, spans)
        await self._reading.read_up_to_moving_end(
            ends,
            lambda: self._comparison.live_positions(self._topic),
            self._reading.guarded(self._shadow.write, add_labels=options.add_enum_labels),
            needs_labels=options.add_enum_labels,
        )
        found = await retry_until_available(
            lambda: self._compare(options), doing="comparing", may_take_long=True
        )
        if extra := (await self._comparison.differences()).extra:
            await self._require_no_event_elsewhere(extra, found.read.next_offsets)
        await self._wait_for_convergence(options.convergence_timeout)
        async for line in self._comparison.lines():
            options.on_difference(line)
        options.on_compared()
        differences = await self._comparison.differences()
        if self._repair is None:
            return self._report(found, differences)
        if differences.extra > options.max_deletes:
            raise TooManyDeletesError(differences.extra, options.max_deletes)
        done = await self._repair.run(
            differences.rows, self._history, found.read.next_offsets, self._lock.check
        )
        return replace(
            self._report(found, differences, repaired=differences.rows - len(done.left)),
            deleted=done.deleted,
            restored=done.restored,
            unrepaired=len(done.left) + len(done.refused_overrides),
            refusals=dict(islice((done.refused_overrides | done.left).items(), _EXAMPLES)),
        )

    async def _require_no_event_elsewhere(self, extra: int, next_offsets: Mapping[int, int]) -> None:
        """Refuse where a row called extra has an event past the table's position, or may in another topic."""
        await self._comparison.require_no_other_topic(self._topic, self._overrides_topic, extra)
        spans = await retry_until_available(self._history.spans, doing="reading the topic's offsets")
        ends = {partition: span.end for partition, span in spans.items()}

        async def look(batch: ShadowBatch) -> None:
            self._lock.check()
            if later := await self._comparison.extra_among([row.id for row in batch.rows]):
                raise RowsPastPositionError(self._topic, later[:_EXAMPLES])

        await retry_until_available(
            lambda: read_into(look, self._history, next_offsets, ends, self._on_progress),
            doing="reading events past the table's position",
            may_take_long=True,
        )

    async def _load(
        self, spans: Mapping[int, Span], override_spans: Mapping[int, Span], options: RebuildOptions
    ) -> RebuildReport:
        """Read the whole topics and load the empty live table from them."""
        write = self._reading.guarded(
            self._shadow.write, add_labels=options.add_enum_labels, allow_unknown_labels=False
        )
        ends = {partition: span.end for partition, span in spans.items()}
        await self._reading.read_up_to(ends, write, needs_labels=True)
        override_ends = {partition: span.end for partition, span in override_spans.items()}

        async def read_overrides() -> OverridesRead:
            await self._shadow.reset()
            return await self._reading.read_overrides(override_ends, self._shadow.write)

        overrides_read = await retry_until_available(
            read_overrides, doing="reading overrides", may_take_long=True
        )
        await self._pool.execute(ANALYZE_SHADOW)
        async with AsyncExitStack() as stack:
            refused: dict[str, str] = {}
            live = await stack.enter_async_context(resolving(self._pool)) if options.initial_load else None
            async with self._comparison.snapshot() as snapshot:
                self._on_progress(RebuildProgress("removing duplicates"))
                duplicates = await snapshot.deduplicate()
                counts = await snapshot.resolved_side() if live is None else NO_ROWS
                read = await snapshot.progress()
                await snapshot.complete()
            options.on_compared()
            if live is not None:
                self._on_progress(RebuildProgress("resolving roots"))
                await live.resolved(anew=duplicates.may_change_roots)
                self._lock.check()
                positions = self._positions(read.next_offsets, override_ends)
                if options.archive_only:
                    positions = {}
                counts, refused = await live.load(self._group, positions, self._on_progress)
                if positions and self._commit is not None:
                    await commit_loaded(self._commit, self._topic, positions)
        sides = NO_ROWS, counts
        found = _Comparison(read, overrides_read, duplicates, 0, sides, NONE_UNSOURCED)
        return replace(
            self._report(found, NO_DIFFERENCES, loaded=options.initial_load),
            unrepaired=len(refused),
            refusals=dict(islice(refused.items(), _EXAMPLES)),
        )

    def _positions(
        self, next_offsets: Mapping[int, int], override_offsets: Mapping[int, int]
    ) -> dict[TopicPartition, int]:
        positions = {(self._topic, partition): at for partition, at in next_offsets.items()}
        overrides = {(self._overrides_topic, partition): at for partition, at in override_offsets.items()}
        return positions | overrides

    def _report(
        self,
        found: _Comparison,
        differences: Differences,
        *,
        repaired: int | None = None,
        loaded: bool = False,
    ) -> RebuildReport:
        live, rebuilt = found.sides
        return RebuildReport(
            topic=self._topic,
            positions={str(partition): at for partition, at in sorted(found.read.next_offsets.items())},
            messages=found.read.messages,
            dead_letters=found.read.dead_letters + found.overrides_read.dead_letters,
            tombstones=found.read.tombstones + found.overrides_read.tombstones,
            overrides_read=found.overrides_read.messages,
            duplicates=found.duplicates.removed,
            contested=found.duplicates.contested,
            contested_kept_live=found.duplicates.contested_kept_live,
            live=live,
            rebuilt=rebuilt,
            differences=differences,
            overrides_differing=found.overrides_differing,
            unsourced_rows=found.unsourced.rows,
            unsourced_overrides=found.unsourced.overrides,
            repaired=repaired,
            loaded=loaded,
        )

    async def _compare(self, options: RebuildOptions) -> _Comparison:
        """Compare in one snapshot.

        Its positions may be later than the shadow's: the messages in between are read within the snapshot,
        which sees the live rows of exactly these positions.
        """
        self._lock.check()  # a database that was set back lost the shadow with the session of the lock
        async with self._comparison.snapshot() as snapshot:
            self._lock.check()
            await snapshot.reset()
            ends = await snapshot.positions(self._topic)
            starts = (await snapshot.progress()).next_offsets
            write = self._reading.guarded(snapshot.write, add_labels=options.add_enum_labels)
            await read_into(write, self._history, starts, ends, self._on_progress)
            override_ends = await snapshot.positions(self._overrides_topic)
            overrides_read = await self._reading.read_overrides(override_ends, snapshot.write)
            copied = await snapshot.copy_unsourced() if options.allow_unsourced else NONE_UNSOURCED
            self._on_progress(RebuildProgress("removing duplicates"))
            await snapshot.analyze()
            duplicates = await snapshot.deduplicate()
            self._on_progress(RebuildProgress("resolving roots"))
            await snapshot.resolve()
            self._on_progress(RebuildProgress("comparing"))
            await snapshot.compare(options.only)
            overrides = await snapshot.differing_overrides()
            if not options.allow_unsourced or overrides.extra:
                unsourced = await snapshot.unsourced(_EXAMPLES)
                rows = 0 if options.allow_unsourced else unsourced.rows
                if rows or overrides.extra:
                    raise UnsourcedRowsError(rows, overrides.extra, unsourced.examples)
            self._on_progress(RebuildProgress("counting"))
            sides = await snapshot.sides(options.only)
            read = await snapshot.progress()
            await snapshot.complete()
        differing = overrides.missing + overrides.different
        return _Comparison(read, overrides_read, duplicates, differing, sides, copied)

    async def _wait_for_convergence(self, timeout: float) -> None:
        """Wait until live traffic has corrected roots that its last events change."""
        began = time.monotonic()
        while True:
            self._lock.check()
            convergence = await self._comparison.convergence()
            left = timeout * (_CONVERGENCE_FACTOR if convergence.is_recomputing else 1)
            left -= time.monotonic() - began
            if not convergence.differing or left <= 0:
                return
            self._on_progress(RebuildProgress("waiting for roots that live traffic corrects"))
            await asyncio.sleep(min(_CONVERGENCE_INTERVAL, left))
