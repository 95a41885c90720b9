"""The rebuild: read the topic beside the live table, compare as of the same positions, and report.

Read `Rebuild.run`. Up to the comparison everything is written to the shadow alone, so that whoever is
interrupted leaves the live table as it was.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from msgspec.structs import replace

from llamalog_service.kafka.topic_history import Span
from llamalog_service.log.eventless_rows import Eventless
from llamalog_service.rebuild.comparison import Chosen, Only, Side
from llamalog_service.rebuild.convergence import let_settle
from llamalog_service.rebuild.errors import EventlessRowsError, RebuildUnderWayError
from llamalog_service.rebuild.options import Asked, Stores
from llamalog_service.rebuild.preconditions import (
    refuse_archive_only,
    refuse_lost_beginning,
    refuse_many_removals,
    refuse_positions,
    refuse_words,
)
from llamalog_service.rebuild.reading import History, Progress, Watch, read_into
from llamalog_service.rebuild.repair import Repair
from llamalog_service.rebuild.report import NONE, RebuildReport, differences_of, report_of
from llamalog_service.rebuild.resume import take_up
from llamalog_service.rebuild.shadow import Read, Told
from llamalog_service.retry import retry_until_available

LEFT_TO_THE_SNAPSHOT = 100_000
"""So many messages at most, a few seconds' reading, are left to the transaction that compares."""

_NAMED_AT_MOST = 20


Record = Callable[[Told], Awaitable[None]]


class Compared(NamedTuple):
    """A comparison, its differences noted in the shadow."""

    read: Read
    chosen: Chosen
    overrides: int
    sides: tuple[Side, Side]
    as_they_stand: Eventless


class Rebuild:
    """A rebuild of one topic's rows in one database.

    Args:
        group: the consumer group whose positions stand beside the live rows.
        source: a name for `history`: what another source began is not gone on with.
        begun_by: who rebuilds, for those who find what is left of it.
        repair: mends what differs; None: nobody does.
    """

    def __init__(
        self,
        stores: Stores,
        history: History,
        *,
        topic: str,
        group: str,
        source: str = "the topic",
        begun_by: str = "",
        repair: Repair | None = None,
        watch: Watch = lambda _: None,
    ) -> None:
        self._stores = stores
        self._history = history
        self._topic = topic
        self._group = group
        self._source = source
        self._begun_by = begun_by
        self._repair = repair
        self._watch = watch

    async def run(self, asked: Asked) -> RebuildReport:
        """Rebuild, compare, report; waits while Kafka or PostgreSQL is away.

        Raises:
            RebuildRefusedError: with the reason; the live table is as it was.
            RebuildLockLostError: PostgreSQL was restarted; the same call goes on.
            ShadowLostError: PostgreSQL crashed after the comparison; the same call begins anew.
            PositionPastEndError: the topic is not the one that was read.
        """
        began = time.monotonic()
        async with self._stores.lock.attempt() as is_held:
            if not is_held:
                raise RebuildUnderWayError(await self._stores.lock.other_holder())
            spans = await retry_until_available(self._history.spans, doing="looking at the topic")
            refuse_lost_beginning(self._topic, spans)
            is_empty = await retry_until_available(
                self._stores.live.is_empty, doing="looking at the live table"
            )
            if asked.archive_only:
                refuse_archive_only(is_empty=is_empty)
            if not is_empty and not asked.allow_unsourced:
                await self._refuse_eventless_rows()
            await take_up(
                self._stores.shadow,
                topic=self._topic,
                source=self._source,
                begun_by=self._begun_by,
                discard=asked.discard,
                every_word=is_empty or asked.add_words,
            )
            if is_empty:
                counted = await self._fill(spans, asked)
            else:
                counted = await self._hold_against_the_live_table(asked)
            self._stores.lock.check()
            await self._stores.shadow.discard()
        return replace(counted, seconds=time.monotonic() - began)

    async def _refuse_eventless_rows(self) -> None:
        """Before hours of reading; the comparison looks again."""
        rows, overrides = await retry_until_available(
            self._stores.live.eventless, doing="looking for rows without an event", may_take_long=True
        )
        if rows or overrides:
            raise EventlessRowsError(rows, overrides, await self._stores.live.some_eventless(_NAMED_AT_MOST))

    async def _hold_against_the_live_table(self, asked: Asked) -> RebuildReport:
        ends = await self._stores.live.next_offsets(self._group, self._topic)
        later = await retry_until_available(self._history.spans, doing="looking at the topic")
        refuse_positions(self._topic, self._group, ends, later)
        record = self._recording(self._stores.shadow.record, add_words=asked.add_words)
        await self._read_up_to_the_live_table(ends, record)
        compared = await retry_until_available(
            lambda: self._compare(asked), doing="comparing", may_take_long=True
        )
        await let_settle(self._stores.comparisons, self._stores.lock, asked.settle_seconds, self._watch)
        async for line in self._stores.comparisons.lines():
            asked.note(line)
        asked.noted()
        summary = await self._stores.comparisons.summary()
        if self._repair is not None:
            found = differences_of(summary)
            refuse_many_removals(found.extra, asked.max_deletes)
            await self._repair.run(
                found.rows, self._history, compared.read.next_offsets, self._stores.lock.check
            )
        return report_of(
            topic=self._topic,
            read=compared.read,
            chosen=compared.chosen,
            overrides=compared.overrides,
            sides=compared.sides,
            summary=summary,
            mended=self._repair is not None,
            as_they_stand=compared.as_they_stand,
        )

    async def _fill(self, spans: Mapping[int, Span], asked: Asked) -> RebuildReport:
        """Everything that was ever told, into a live table that holds nothing."""
        record = self._recording(self._stores.shadow.record, add_words=asked.add_words, lacks_none=True)
        await self._read_up_to({partition: span.end for partition, span in spans.items()}, record)
        async with self._stores.comparisons.snapshot() as snapshot:
            self._watch(Progress("removing what was told twice"))
            chosen = await snapshot.choose()
            self._watch(Progress("working out roots"))
            await snapshot.resolve()
            self._watch(Progress("counting"))
            sides = await snapshot.sides(Only())
            read = await snapshot.read_so_far()
            await snapshot.end()
        asked.noted()
        if self._stores.filling is not None:
            self._watch(Progress("filling the live table, then its indexes"))
            self._stores.lock.check()
            positions = {} if asked.archive_only else read.next_offsets
            await self._stores.filling.fill(self._group, self._topic, positions)
        report = report_of(
            topic=self._topic, read=read, chosen=chosen, overrides=0, sides=sides, summary=(), mended=False
        )
        return replace(report, filled=self._stores.filling is not None)

    def _recording(self, record: Record, *, add_words: bool, lacks_none: bool = False) -> Record:
        """`record` while nobody else rebuilds, with a look at what the enums of the live table can't hold.

        Args:
            add_words: let them hold it.
            lacks_none: else refuse; what is left out of a live table that others write to is a dead letter.
        """

        async def look_and_record(told: Told) -> None:
            self._stores.lock.check()
            if not (add_words or lacks_none):
                await record(told)
                return
            missing = await self._stores.words.missing(told.rows)
            if not add_words:
                refuse_words(missing)
            elif missing:
                await self._stores.words.add(missing)
            await record(told)

        return look_and_record

    async def _read_up_to_the_live_table(self, ends: Mapping[int, int], record: Record) -> None:
        """Read until little is left to the snapshot of the comparison, which keeps VACUUM waiting."""
        while True:
            await self._read_up_to(ends, record)
            recorded = await retry_until_available(
                lambda: self._stores.live.next_offsets(self._group, self._topic),
                doing="looking how far the live table is",
            )
            if sum(recorded.values()) - sum(ends.values()) <= LEFT_TO_THE_SNAPSHOT:
                return
            ends = recorded

    async def _read_up_to(self, ends: Mapping[int, int], record: Record) -> None:
        """Read into the shadow, portion by portion committed; what is away is waited for."""

        async def read_on() -> None:
            self._stores.lock.check()
            so_far = await self._stores.shadow.read_so_far()
            await read_into(record, self._history, so_far.next_offsets, ends, self._watch)

        await retry_until_available(read_on, doing="reading the topic", may_take_long=True)

    async def _compare(self, asked: Asked) -> Compared:
        """Compare in one snapshot.

        Its positions may be later than those that were read up to: what lies between is read now, within
        the snapshot, which sees the live rows of exactly these positions and none that come later.
        """
        async with self._stores.comparisons.snapshot() as snapshot:
            self._stores.lock.check()
            await snapshot.forget()
            ends = await snapshot.positions(self._group, self._topic)
            so_far = await snapshot.read_so_far()
            record = self._recording(snapshot.record, add_words=asked.add_words)
            await read_into(record, self._history, so_far.next_offsets, ends, self._watch)
            as_they_stand = await snapshot.take_as_they_stand() if asked.allow_unsourced else NONE
            self._watch(Progress("removing what was told twice"))
            chosen = await snapshot.choose()
            self._watch(Progress("working out roots"))
            await snapshot.resolve()
            self._watch(Progress("comparing"))
            await snapshot.compare(asked.only)
            overrides = await snapshot.differing_overrides()
            rows = 0 if asked.allow_unsourced else await snapshot.eventless_rows()
            if rows or overrides.extra:
                some = await snapshot.some_eventless(_NAMED_AT_MOST)
                raise EventlessRowsError(rows, overrides.extra, some)
            self._watch(Progress("counting"))
            sides = await snapshot.sides(asked.only)
            read = await snapshot.read_so_far()
            await snapshot.end()
        return Compared(read, chosen, overrides.missing + overrides.different, sides, as_they_stand)
