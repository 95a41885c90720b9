"""Start positions, chosen when partitions are assigned."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime
from typing import ClassVar, Protocol

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition

_logger = logging.getLogger("llamalog_schemas.consumer")

_AT_ONCE_SECONDS = 2.0
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0

Partitions = Collection[TopicPartition]


class Start(Protocol):
    """A choice of start positions.

    Attributes:
        once: whether it applies to a partition's first assignment only; later ones start at the group's
            committed offset, or here again if there is none.
    """

    once: ClassVar[bool]

    async def offsets(self, reader: AIOKafkaConsumer, partitions: Partitions) -> Mapping[TopicPartition, int]:
        """The first offsets; other partitions start at the committed offset, else at the beginning."""


class Committed:
    """The committed offsets of the group. The default.

    Args:
        otherwise: the start if the group has committed nothing; None: the beginning.
    """

    once: ClassVar = False

    def __init__(self, otherwise: Start | None = None) -> None:
        self._otherwise = otherwise

    async def offsets(self, reader: AIOKafkaConsumer, partitions: Partitions) -> Mapping[TopicPartition, int]:
        """The offsets of partitions without a committed one."""
        if self._otherwise is None:
            return {}
        return await self._otherwise.offsets(reader, await _uncommitted(reader, partitions))


class Beginning:
    """From the first record that the topic still has, regardless of committed offsets: a replay."""

    once: ClassVar = True

    async def offsets(self, reader: AIOKafkaConsumer, partitions: Partitions) -> Mapping[TopicPartition, int]:
        """The first offset of each partition."""
        first: Mapping[TopicPartition, int] = await reader.beginning_offsets(list(partitions))
        return first


class AtTime:
    """From the first record that was published at a time or later, regardless of committed offsets.

    Args:
        moment: with a zone.
    """

    once: ClassVar = True

    def __init__(self, moment: datetime) -> None:
        if moment.tzinfo is None:
            raise ValueError("the moment has no zone; give one, for example `datetime.now(UTC)`")
        self._milliseconds = int(moment.timestamp() * 1000)

    async def offsets(self, reader: AIOKafkaConsumer, partitions: Partitions) -> Mapping[TopicPartition, int]:
        """The first offset of that time; the end where nothing is that late."""
        found = await reader.offsets_for_times(dict.fromkeys(partitions, self._milliseconds))
        ends = await reader.end_offsets(list(partitions))
        return {at: ends[at] if found[at] is None else found[at].offset for at in partitions}


class Stored:
    """The positions in the reader's own store, at every assignment: for positions stored with their effect.

    Args:
        positions: returns the next offsets of partitions; others start at the beginning.
    """

    once: ClassVar = False

    def __init__(self, positions: Callable[[Collection[int]], Awaitable[Mapping[int, int]]]) -> None:
        self._positions = positions

    async def offsets(self, reader: AIOKafkaConsumer, partitions: Partitions) -> Mapping[TopicPartition, int]:
        """The stored positions."""
        stored = await self._positions([at.partition for at in partitions])
        first = await reader.beginning_offsets(list(partitions))
        return {at: max(first[at], stored.get(at.partition, 0)) for at in partitions}


async def _uncommitted(reader: AIOKafkaConsumer, partitions: Partitions) -> list[TopicPartition]:
    return [at for at in partitions if await reader.committed(at) is None]


class Assignments(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Seeks assigned partitions to their start positions, and has revoked ones forgotten.

    A partition is paused until its start position is known. A failed look-up is retried: the partition must
    not be read from another position meanwhile.

    Args:
        reader: returns the consumer of the partitions.
        start: the start positions.
        forget: called with revoked partitions.
    """

    def __init__(
        self,
        reader: Callable[[], AIOKafkaConsumer],
        start: Start,
        forget: Callable[[Partitions], None] = lambda revoked: None,
    ) -> None:
        self._reader = reader
        self._start = start
        self._forget = forget
        self._begun: set[TopicPartition] = set()
        self._beginning: asyncio.Task[None] | None = None

    async def on_partitions_revoked(self, revoked: Partitions) -> None:
        """Forget their fetched updates: the next owner reads them again."""
        self.stop()
        self._forget(revoked)

    async def on_partitions_assigned(self, assigned: Partitions) -> None:
        """Find their start positions; if that takes long, in the background."""
        if assigned:
            self._reader().pause(*assigned)
            self._beginning = asyncio.create_task(self._begin_at_last(assigned))
            await asyncio.wait([self._beginning], timeout=_AT_ONCE_SECONDS)

    async def begin(self, partitions: Partitions) -> None:
        """Seek partitions to their start positions and resume them."""
        reader = self._reader()
        begun = self._begun.intersection(partitions) if self._start.once else set()
        to_begin = [*set(partitions).difference(begun), *await _uncommitted(reader, begun)]
        for at, offset in (await self._start.offsets(reader, to_begin)).items():
            reader.seek(at, offset)
        reader.resume(*partitions)
        self._begun.update(partitions)

    def stop(self) -> None:
        """Cancel the look-up of start positions."""
        if self._beginning is not None:
            self._beginning.cancel()

    async def _begin_at_last(self, partitions: Partitions) -> None:
        pause = _FIRST_PAUSE
        while True:
            try:
                await self.begin(partitions)
            except Exception as error:
                _logger.error("the start position is not known, reading waits for it: %r", error)
                await asyncio.sleep(pause)
                pause = min(_LONGEST_PAUSE, pause * 2)
            else:
                return
