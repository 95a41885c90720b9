"""The topics read into the shadow: entity events by one process or several, overrides whole.

Other processes read partitions of their own and do what the rebuild's own process does. Should one end
early, for any reason, the rebuild reads the rest itself, and meets there what ended it: no error needs a way
from one process to the other.
"""

import asyncio
import multiprocessing
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Final, NamedTuple

import asyncpg
import structlog

from llamalog_service.domain.errors import LlamalogError
from llamalog_service.ingest.batch import decode_batch
from llamalog_service.kafka.reader import Portion
from llamalog_service.postgres.locks import RebuildLock, lock_reading
from llamalog_service.rebuild.errors import UnknownEnumLabelsError
from llamalog_service.rebuild.initial_load import EnumLabelStore
from llamalog_service.rebuild.ports import History, MessagePosition, OnProgress, RebuildProgress
from llamalog_service.rebuild.shadow import ShadowBatch, ShadowStore, read_progress, write_batch
from llamalog_service.retry import retry_until_available

MAX_READ_IN_SNAPSHOT: Final = 100_000
"""Messages, a few seconds' reading, that may be left to the transaction that compares."""

WORTH_A_PROCESS: Final = 50_000
"""Messages, a second or two of reading: what a process takes to start."""

_LOOK_SECONDS: Final = 0.05

_log = structlog.get_logger("llamalog.rebuild")

Write = Callable[[ShadowBatch], Awaitable[None]]
LivePositions = Callable[[], Awaitable[Mapping[int, int]]]


class Share(NamedTuple):
    """The part of the reading that one process does.

    Attributes:
        ends: the partitions, with the offsets up to which they are read.
        holder: the session of PostgreSQL that holds the lock of the rebuild.
        needs_labels: a legacy row with a label that the enums lack is left to the rebuild's own process.
    """

    ends: dict[int, int]
    holder: int
    needs_labels: bool


class ReaderProcesses(NamedTuple):
    """Processes that share the reading of a rebuild.

    Attributes:
        most: processes that read, the rebuild's own among them.
        read_share: the whole work of another process; pickled, so a function of a module or a partial of one.
    """

    most: int
    read_share: Callable[[Share], None]

    @asynccontextmanager
    async def reading(self, shares: Sequence[Share], look: Callable[[], object]) -> AsyncIterator[None]:
        """Have shares read meanwhile; the end of the context waits for them, an error within ends them.

        Args:
            look: called every now and then while they are waited for; may raise an error.
        """
        context = multiprocessing.get_context("spawn")
        processes = [context.Process(target=self.read_share, args=(share,), daemon=True) for share in shares]
        try:
            for process in processes:
                process.start()
            yield
            while any(process.is_alive() for process in processes):
                look()
                await asyncio.sleep(_LOOK_SECONDS)
            codes = [process.exitcode for process in processes if process.exitcode]
            if codes:
                _log.info("a reader process ended early: this one reads the rest", codes=codes)
        finally:
            for process in processes:
                if process.pid is not None:
                    process.kill()
                    process.join()


def shown_as_all(total: int, on_progress: OnProgress) -> OnProgress:
    """Show the progress of one of several equal shares as that of all messages."""

    def show(own: RebuildProgress) -> None:
        done = own.done * total // own.total if own.total else 0
        on_progress(RebuildProgress(own.phase, done, total))

    return show


async def read_own_share(pool: asyncpg.Pool, history: History, share: Share) -> None:
    """Read a share into the shadow, each batch in a transaction of its own.

    Raises:
        LlamalogError: some of it is not read.
    """
    await history.spans()

    async def write(batch: ShadowBatch) -> None:
        if share.needs_labels and await EnumLabelStore(pool).missing(batch.rows):
            raise _LabelsMissingError("rows have labels that the enums lack")
        async with pool.acquire() as connection, connection.transaction():
            await lock_reading(connection, share.holder)
            await write_batch(connection, batch)

    async with pool.acquire() as connection:
        starts = (await read_progress(connection)).next_offsets
    await read_into(write, history, starts, share.ends, lambda _: None)


class _LabelsMissingError(LlamalogError):
    """A row is left to the rebuild's own process."""


def end_with_parent(loop: asyncio.AbstractEventLoop) -> None:
    """End this process as soon as the one that started it has ended, and leave Ctrl-C to that one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        loop.add_reader(parent.sentinel, os._exit, 1)


class OverridesRead(NamedTuple):
    """Counts of the messages that were read from the topic of overrides."""

    messages: int = 0
    dead_letters: int = 0
    tombstones: int = 0


class Reading:
    """Reads into a shadow; retries while Kafka or PostgreSQL is away.

    Args:
        overrides: few, and read anew for every comparison.
        readers: read a long history with this process; None: it reads all.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        history: History,
        overrides: History,
        shadow: ShadowStore,
        *,
        lock: RebuildLock,
        readers: ReaderProcesses | None,
        on_progress: OnProgress,
    ) -> None:
        self._pool = pool
        self._history = history
        self._overrides = overrides
        self._shadow = shadow
        self._lock = lock
        self._readers = readers
        self._on_progress = on_progress

    def guarded(self, write: Write, *, add_labels: bool, allow_unknown_labels: bool = True) -> Write:
        """`write` that first checks the lock, and legacy rows for labels that the live table's enums lack.

        Args:
            add_labels: add them to the enums.
            allow_unknown_labels: rows with such labels are dead letters, as for the consumer; else they are
                refused.
        """

        async def write_guarded(batch: ShadowBatch) -> None:
            self._lock.check()
            if add_labels or not allow_unknown_labels:
                labels = EnumLabelStore(self._pool)
                missing = await labels.missing(batch.rows)
                if missing and not add_labels:
                    raise UnknownEnumLabelsError(missing)
                if missing:
                    await labels.add(missing)
            await write(batch)

        return write_guarded

    async def read_up_to_moving_end(
        self, ends: Mapping[int, int], live_positions: LivePositions, write: Write, *, needs_labels: bool
    ) -> None:
        """Read until little is left to the comparison's snapshot, which holds VACUUM back.

        Args:
            live_positions: those of the live table, which moves on.
            needs_labels: labels of legacy rows that the live table's enums lack count as known.
        """
        while True:
            await self.read_up_to(ends, write, needs_labels=needs_labels)
            recorded = await retry_until_available(live_positions, doing="reading the live table's positions")
            if sum(recorded.values()) - sum(ends.values()) <= MAX_READ_IN_SNAPSHOT:
                return
            ends = recorded

    async def read_up_to(self, ends: Mapping[int, int], write: Write, *, needs_labels: bool) -> None:
        """Read into the shadow, each batch in a transaction of its own."""

        async def read() -> None:
            starts = await self._starts()
            readers = self._readers
            own, *others = split_reading(starts, ends, 1 if readers is None else readers.most)
            if readers is not None and others:
                shares = [Share(their_ends, self._lock.session, needs_labels) for their_ends in others]
                async with readers.reading(shares, self._lock.check):
                    show = shown_as_all(sum(ends.values()), self._on_progress)
                    await read_into(write, self._history, starts, own, show)
                starts = await self._starts()  # what one of them has not read is left
            await read_into(write, self._history, starts, ends, self._on_progress)

        await retry_until_available(read, doing="reading the topic", may_take_long=True)

    async def _starts(self) -> dict[int, int]:
        """The next offsets of the shadow, once no process of an earlier attempt writes to it any more."""
        self._lock.check()
        await self._lock.wait_for_readers()
        return (await self._shadow.progress()).next_offsets

    async def read_overrides(self, ends: Mapping[int, int], write: Write) -> OverridesRead:
        """Write the overrides before these offsets to the shadow, which has none yet."""
        counts = Counter[str]()

        async def write_overrides(batch: ShadowBatch) -> None:
            self._lock.check()
            for name in OverridesRead._fields:
                counts[name] += sum(getattr(batch, name).values())
            await write(batch._replace(next_offsets={}))

        await read_into(write_overrides, self._overrides, {}, ends, self._on_progress)
        return OverridesRead(**counts)


def split_reading(starts: Mapping[int, int], ends: Mapping[int, int], processes: int) -> list[dict[int, int]]:
    """The ends of the partitions in about equal shares, one a process: as many as have something to do."""
    left = {partition: end - starts.get(partition, 0) for partition, end in ends.items()}
    count = max(1, min(processes, len(ends), sum(left.values()) // WORTH_A_PROCESS))
    shares: list[dict[int, int]] = [{} for _ in range(count)]
    loads = [0] * count
    for partition in sorted(left, key=lambda one: -left[one]):
        lightest = loads.index(min(loads))
        shares[lightest][partition] = ends[partition]
        loads[lightest] += left[partition]
    return shares


async def read_into(
    write: Callable[[ShadowBatch], Awaitable[None]],
    history: History,
    starts: Mapping[int, int],
    ends: Mapping[int, int],
    on_progress: OnProgress,
) -> None:
    """Write the messages from `starts` up to before `ends` by `write`, batch by batch, in order.

    A batch is written while the next one is decoded.

    Raises:
        UnavailableError: Kafka or PostgreSQL is away; the batches before are written.
    """
    total = sum(ends.values())
    done = total - sum(max(0, end - starts.get(partition, 0)) for partition, end in ends.items())
    at = dict(starts)
    on_progress(RebuildProgress("reading", done, total))
    writing: asyncio.Task[None] | None = None
    try:
        async with aclosing(history.read(starts, ends)) as portions:
            async for portion in portions:
                batch = _decode(portion)
                if writing is not None:
                    await writing
                writing = asyncio.create_task(_await(write(batch)))
                for partition, next_offset in portion.reached.items():
                    done += next_offset - at.get(partition, 0)
                    at[partition] = next_offset
                on_progress(RebuildProgress("reading", done, total))
        if writing is not None:
            await writing
    finally:
        if writing is not None and not writing.done():
            writing.cancel()
            await asyncio.wait([writing])


async def _await(work: Awaitable[None]) -> None:
    await work


def _decode(portion: Portion) -> ShadowBatch:
    """Decode as the ingest does; invalid messages are counted and left out."""
    decoded = decode_batch(portion.records)
    return ShadowBatch(
        rows=decoded.rows,
        positions=[MessagePosition(record.partition, record.offset) for record in decoded.records],
        erased=decoded.erased,
        overrides=decoded.overrides,
        override_positions=[MessagePosition(one.partition, one.offset) for one in decoded.override_records],
        next_offsets=portion.reached,
        messages=Counter([record.partition for record in portion.records]),
        dead_letters=Counter([rejected.record.partition for rejected in decoded.rejected]),
        tombstones=Counter([record.partition for record in portion.records if record.value is None]),
    )
