"""Where to begin to read, decided when partitions are assigned."""

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
    """A place to begin.

    Attributes:
        once: whether it holds for a partition's first assignment only; later ones go on where the group is,
            or here again if the group has committed nothing.
    """

    once: ClassVar[bool]

    async def offsets(self, reader: AIOKafkaConsumer, partitions: Partitions) -> Mapping[TopicPartition, int]:
        """The first offset to read; what is left out begins where the group is, or at the start."""


class Committed:
    """Where the group has committed. The default.

    Args:
        otherwise: where to begin if the group has committed nothing; None: from the beginning.
    """

    once: ClassVar = False

    def __init__(self, otherwise: Start | None = None) -> None:
        self._otherwise = otherwise

    async def offsets(self, reader: AIOKafkaConsumer, partitions: Partitions) -> Mapping[TopicPartition, int]:
        """Leaves it to the group, where that knows."""
        if self._otherwise is None:
            return {}
        return await self._otherwise.offsets(reader, await _uncommitted(reader, partitions))


class Beginning:
    """From the first record that the topic still has, whatever was committed: a replay."""

    once: ClassVar = True

    async def offsets(self, reader: AIOKafkaConsumer, partitions: Partitions) -> Mapping[TopicPartition, int]:
        """The first offset of each partition."""
        first: Mapping[TopicPartition, int] = await reader.beginning_offsets(list(partitions))
        return first


class AtTime:
    """From the first record that was published at a time or later, whatever was committed.

    Args:
        moment: with a zone.
    """

    once: ClassVar = True

    def __init__(self, moment: datetime) -> None:
        if moment.tzinfo is None:
            raise ValueError("the moment has no zone: say which one, for example `datetime.now(UTC)`")
        self._milliseconds = int(moment.timestamp() * 1000)

    async def offsets(self, reader: AIOKafkaConsumer, partitions: Partitions) -> Mapping[TopicPartition, int]:
        """The first offset of that time; the end where nothing is that late."""
        found = await reader.offsets_for_times(dict.fromkeys(partitions, self._milliseconds))
        ends = await reader.end_offsets(list(partitions))
        return {at: ends[at] if found[at] is None else found[at].offset for at in partitions}


class Stored:
    """Where the reader's own store says, at every assignment: for positions kept with their effect.

    Args:
        positions: given partitions, their next offsets; those that are left out begin at the start.
    """

    once: ClassVar = False

    def __init__(self, positions: Callable[[Collection[int]], Awaitable[Mapping[int, int]]]) -> None:
        self._positions = positions

    async def offsets(self, reader: AIOKafkaConsumer, partitions: Partitions) -> Mapping[TopicPartition, int]:
        """What the store says."""
        stored = await self._positions([at.partition for at in partitions])
        first = await reader.beginning_offsets(list(partitions))
        return {at: max(first[at], stored.get(at.partition, 0)) for at in partitions}


async def _uncommitted(reader: AIOKafkaConsumer, partitions: Partitions) -> list[TopicPartition]:
    return [at for at in partitions if await reader.committed(at) is None]


class Assignments(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Has what is assigned begin at its start, and what is revoked forgotten.

    Nothing is read of a partition before its start is known. Where that can't be found out, it is tried
    again: a partition must not be read from somewhere else meanwhile.

    Args:
        reader: whose partitions they are, once it is there.
        start: where to begin.
        forget: is told the partitions that are no longer the reader's.
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
        """Forget what was read of them and not dealt with: it comes again to whoever reads on."""
        self.stop()
        self._forget(revoked)

    async def on_partitions_assigned(self, assigned: Partitions) -> None:
        """Find the start of what is assigned; if it takes long, beside the group's own work."""
        if assigned:
            self._reader().pause(*assigned)
            self._beginning = asyncio.create_task(self._begin_at_last(assigned))
            await asyncio.wait([self._beginning], timeout=_AT_ONCE_SECONDS)

    async def begin(self, partitions: Partitions) -> None:
        """Seek partitions to their start, and let them be read."""
        reader = self._reader()
        begun = self._begun.intersection(partitions) if self._start.once else set()
        to_begin = [*set(partitions).difference(begun), *await _uncommitted(reader, begun)]
        for at, offset in (await self._start.offsets(reader, to_begin)).items():
            reader.seek(at, offset)
        reader.resume(*partitions)
        self._begun.update(partitions)

    def stop(self) -> None:
        """Look no more for a start."""
        if self._beginning is not None:
            self._beginning.cancel()

    async def _begin_at_last(self, partitions: Partitions) -> None:
        pause = _FIRST_PAUSE
        while True:
            try:
                await self.begin(partitions)
            except Exception as error:
                _logger.error("where to begin is not known, nothing is read until it is: %r", error)
                await asyncio.sleep(pause)
                pause = min(_LONGEST_PAUSE, pause * 2)
            else:
                return
