"""The topics read into the shadow: entity events by one process or several, overrides whole."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NamedTuple

import asyncpg

from llamalog_service.postgres.locks import RebuildLock
from llamalog_service.rebuild.errors import UnknownEnumLabelsError
from llamalog_service.rebuild.initial_load import EnumLabelStore
from llamalog_service.rebuild.ports import History, OnProgress
from llamalog_service.rebuild.reader_processes import ReaderProcesses, Share, shown_as_all
from llamalog_service.rebuild.shadow import ShadowBatch, ShadowStore, read_into
from llamalog_service.retry import retry_until_available

MAX_READ_IN_SNAPSHOT: Final = 100_000
"""Messages, a few seconds' reading, that may be left to the transaction that compares."""

WORTH_A_PROCESS: Final = 50_000
"""Messages, a second or two of reading: what a process takes to start."""

Write = Callable[[ShadowBatch], Awaitable[None]]
LivePositions = Callable[[], Awaitable[Mapping[int, int]]]


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
