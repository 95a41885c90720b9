"""Provenance as it is told, from a moment on: for whoever shows it, so that a record may be passed over."""

from collections.abc import Collection
from operator import attrgetter
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from llamalog_schemas.codec import decode_provenance
from llamalog_schemas.errors import InvalidMessageError
from llamalog_schemas.provenance import Provenance
from llamalog_service.kafka.offsets import Offsets, end_offsets

_timestamp = attrgetter("timestamp")


class LiveRow(NamedTuple):
    """A row as a record tells it, and the bytes of the record."""

    row: Provenance
    size: int


class LiveRows:
    """Reads on from where the topic ended, or from where an earlier reader was.

    Args:
        consumer: a started consumer of no group, newly made: it is assigned the partitions.
        knows_ends: whether the broker can be asked where a partition ends.
    """

    def __init__(self, consumer: AIOKafkaConsumer, *, knows_ends: bool) -> None:
        self._consumer = consumer
        self._knows_ends = knows_ends
        self.places: dict[TopicPartition, int] = {}

    async def begin(self, partitions: Collection[TopicPartition], places: Offsets) -> None:
        """Find out where to read on.

        Args:
            places: the next offsets of an earlier reader; of partitions that are not named, the end.
        """
        ends = await end_offsets(self._consumer, partitions, knows_ends=self._knows_ends)
        self._consumer.assign(list(partitions))
        # A place past the end is one of a topic that is gone.
        self.places = {at: min(places.get(at, end), end) for at, end in ends.items()}
        for at, place in self.places.items():
            self._consumer.seek(at, place)

    async def next(self, within: float) -> list[LiveRow]:
        """The next rows, in the order in which they were told; none if none came within so many seconds."""
        fetched = await self._consumer.getmany(timeout_ms=int(within * 1000), max_records=500)
        for at, records in fetched.items():
            self.places[at] = records[-1].offset + 1
        told = sorted((record for records in fetched.values() for record in records), key=_timestamp)
        return [row for record in told if (row := _row(record)) is not None]

    async def check(self) -> None:
        """Ask the broker something; raises the client's error if it does not answer."""
        if self._knows_ends:
            await self._consumer.end_offsets(list(self.places))
        else:
            await self._consumer.topics()


def _row(record: ConsumerRecord) -> LiveRow | None:
    """None for a tombstone, for what a later version tells, and for what somebody else put there."""
    value = record.value or b""
    try:
        return LiveRow(decode_provenance(value).data, len(value))
    except InvalidMessageError:
        return None
