"""Where to begin to read, decided when partitions are assigned."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime
from typing import ClassVar, Protocol

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition

Partitions = Collection[TopicPartition]


class Start(Protocol):
    """A place to begin.

    Attributes:
        once: whether it holds for a partition's first assignment only; later ones go on where the group is.
    """

    once: ClassVar[bool]

    async def offsets(self, reader: AIOKafkaConsumer, partitions: Partitions) -> Mapping[TopicPartition, int]:
        """The first offset to read; what is left out begins where the group is, or at the start."""


class Committed:
    """Where the group has committed; from the beginning where it has committed nothing. The default."""

    once: ClassVar = True

    async def offsets(self, reader: AIOKafkaConsumer, partitions: Partitions) -> Mapping[TopicPartition, int]:
        """Leaves it to the group."""
        return {}


class Beginning:
    """From the first record that the topic still has: a replay."""

    once: ClassVar = True

    async def offsets(self, reader: AIOKafkaConsumer, partitions: Partitions) -> Mapping[TopicPartition, int]:
        """The first offset of each partition."""
        first: Mapping[TopicPartition, int] = await reader.beginning_offsets(list(partitions))
        return first


class AtTime:
    """From the first record that was published at a time or later.

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


class Assignments(ConsumerRebalanceListener):  # type: ignore[misc]
    """Seeks what is assigned to its start, and forgets what is revoked.

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

    async def on_partitions_revoked(self, revoked: Partitions) -> None:
        """Forget what was read of them and not dealt with: it comes again to whoever reads on."""
        self._forget(revoked)

    async def on_partitions_assigned(self, assigned: Partitions) -> None:
        """Seek to the start, before anything is read."""
        new = [at for at in assigned if not self._start.once or at not in self._begun]
        if not new:
            return
        reader = self._reader()
        reader.pause(*new)
        try:
            for at, offset in (await self._start.offsets(reader, new)).items():
                reader.seek(at, offset)
        finally:
            reader.resume(*new)
        self._begun.update(new)
