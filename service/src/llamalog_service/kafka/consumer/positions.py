"""Positions of a consumer: its starts, progress and lag, and the messages deleted before it read them."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from llamalog_service.domain.errors import PositionPastEndError, UnavailableError
from llamalog_service.telemetry.metrics import Metrics

StoredPositions = Callable[[], Awaitable[Mapping[tuple[str, int], int]]]
"""The next offsets recorded with the rows, by topic and partition."""

EndOffsets = Callable[[Collection[TopicPartition]], Awaitable[Mapping[TopicPartition, int]]]
"""The offset that the next message of each partition will get; empty if the broker does not answer."""

_POSITION_SECONDS = 1.0
_ANSWER_SECONDS = 5.0
_REMEDY = (
    "The topic's retention or a person deleted them. If an archive holds them, `llamalog rebuild "
    "--from-file … --repair` records them; else `llamalog backfill start` and `llamalog provenance "
    "republish` complete what was recorded last. `llamalog topics check` shows whether the topic keeps "
    "its messages."
)
_REMEDY_AFTER_RECORDING = (
    "Their rows are recorded; whether all was published that follows from them is not known, since the "
    "process ended in between. `llamalog backfill start` and `llamalog provenance republish` complete it, "
    "except for dead letters."
)
_RESTORE_TOPIC = (
    "Restore the topic, or, if its loss is accepted, delete the rows of this topic from consumer_positions "
    "and start again: rows are kept, the new topic is read from its start."
)

_log = structlog.get_logger("llamalog.delivery")


class PartitionStart(NamedTuple):
    """The start of a partition's reading.

    Attributes:
        recorded: up to where the database has recorded it; what lies before a higher offset is gone.
        committed: up to where the group has committed it; 0 if it has not.
    """

    offset: int
    recorded: int
    committed: int


class StartOffsets:
    """The offset at which each partition is to be read: the lower of Kafka's and the database's.

    If the database's is lower, it is committed, too.

    Args:
        stored_positions: a database that was restored from a backup is behind Kafka's committed offsets: it
            catches up by itself.
        knows_ends: whether the broker can report where partitions end.
    """

    def __init__(self, stored_positions: StoredPositions, *, knows_ends: bool) -> None:
        self._stored_positions = stored_positions
        self._knows_ends = knows_ends

    async def resolve(
        self, consumer: AIOKafkaConsumer, partitions: Collection[TopicPartition]
    ) -> dict[TopicPartition, PartitionStart]:
        """The start for each of these partitions.

        Raises:
            PositionPastEndError: the database has recorded more than the partition holds.
            UnavailableError: PostgreSQL or Kafka cannot be reached.
        """
        stored = await self._stored_positions()
        try:
            committed = {partition: await consumer.committed(partition) or 0 for partition in partitions}
            beginnings = await consumer.beginning_offsets(list(partitions))
            ends = await consumer.end_offsets(list(partitions)) if self._knows_ends else {}
        except KafkaError as error:
            raise UnavailableError(f"Kafka: {type(error).__name__}: {error}") from error
        starts = {}
        for partition in partitions:
            recorded = stored.get(partition, 0)
            end = ends.get(partition, recorded)
            if recorded > end:
                raise PositionPastEndError(
                    partition.topic, partition.partition, recorded, end, advice=_RESTORE_TOPIC
                )
            offset = max(min(recorded, committed[partition]), beginnings[partition])
            starts[partition] = PartitionStart(offset, recorded, committed[partition])
        await _take_back(consumer, starts)
        return starts


async def _take_back(consumer: AIOKafkaConsumer, starts: Mapping[TopicPartition, PartitionStart]) -> None:
    """Commit the start of partitions that begin before the group's committed offset.

    That offset says that all before it was published, which is no longer so of what is recorded again: if
    this process ends between recording and publishing, the next one has to begin here, too.
    """
    lower = {at: start.offset for at, start in starts.items() if start.offset < start.committed}
    if not lower:
        return
    try:
        await consumer.commit(lower)
    except KafkaError as error:
        raise UnavailableError(f"Kafka: {type(error).__name__}: {error}") from error


@dataclass(slots=True)
class Progress:
    """Counters of a delivery, which a monitor compares at two moments.

    Attributes:
        polls: fetches that came back, empty or not.
        commits: commits of offsets that Kafka has acknowledged.
        is_joined: whether the group has assigned this consumer its partitions, be it none.
        committed: the next offset of each partition that was committed since it was assigned.
    """

    polls: int = 0
    commits: int = 0
    is_joined: bool = False
    committed: dict[TopicPartition, int] = field(default_factory=dict)


class Lag(NamedTuple):
    """The rest of the assigned partitions.

    Attributes:
        records: messages past the committed offset, by topic and partition.
        is_behind: whether something is left to fetch, or a position of the consumer is unknown.
    """

    records: Mapping[tuple[str, int], int]
    is_behind: bool


def readable_end(consumer: AIOKafkaConsumer, partition: TopicPartition) -> int | None:
    """The end of a partition as of the last fetch; an open transaction ends it for readers.

    None before the first fetch. The embedded broker knows of no transactions.

    Raises:
        IllegalStateError: the partition is assigned to another consumer meanwhile.
    """
    stable: int | None = consumer.last_stable_offset(partition)
    highwater: int | None = consumer.highwater(partition)
    return highwater if stable is None or stable < 0 else stable


async def passed_offsets(
    consumer: AIOKafkaConsumer, committed: dict[TopicPartition, int]
) -> dict[TopicPartition, int]:
    """Positions past what was committed, of a consumer whose records are all committed.

    Between lies what is not delivered: markers of transactions, and the messages of aborted ones.

    Args:
        committed: the offsets that are known to be committed; those of others are fetched from the group, and
            added.

    Raises:
        KafkaError: a partition is assigned to another consumer meanwhile, or the group cannot be queried.
    """
    passed = {}
    for partition in consumer.assignment() - consumer.paused():
        if consumer.highwater(partition) is None:
            continue  # not fetched yet: its position may not be known
        position = await consumer.position(partition)
        if partition not in committed:
            committed[partition] = await consumer.committed(partition) or 0
        if position > committed[partition]:
            passed[partition] = position
    return passed


async def read_lag_of(consumer: AIOKafkaConsumer, progress: Progress, end_offsets: EndOffsets) -> Lag:
    """Compare a consumer's positions with the ends of its partitions.

    Raises:
        UnavailableError: Kafka does not answer.
    """
    partitions = sorted(consumer.assignment())
    ends = await end_offsets(partitions)
    positions = await asyncio.gather(*[_position(consumer, partition) for partition in partitions])
    records, is_behind = {}, False
    for partition, position in zip(partitions, positions, strict=True):
        end = ends.get(partition, readable_end(consumer, partition) or 0)
        is_behind |= position is None or position < end
        reached = progress.committed.get(partition, position)
        if reached is not None:
            records[partition.topic, partition.partition] = max(0, end - reached)
    return Lag(records, is_behind)


async def _position(consumer: AIOKafkaConsumer, partition: TopicPartition) -> int | None:
    """None where the consumer does not know it, or was revoked the partition meanwhile."""
    try:
        async with asyncio.timeout(_POSITION_SECONDS):
            position: int = await consumer.position(partition)
    except (TimeoutError, IllegalStateError):
        return None
    return position


class LossWatch:
    """Knows the offset of each partition that is to come next, and reports what is gone before it.

    A gap alone proves nothing: markers of transactions and what was aborted leave some as well.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._next: dict[TopicPartition, int] = {}
        self._reported: dict[TopicPartition, int] = {}

    def expect(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Note where partitions are read on from."""
        self._next.update(offsets)

    def forget(self) -> None:
        """Drop all that is expected: the partitions are others from now on."""
        self._next.clear()

    async def check(
        self, consumer: AIOKafkaConsumer, fetched: Mapping[TopicPartition, Sequence[ConsumerRecord]]
    ) -> None:
        """Compare what was fetched with what was to come; without an answer of Kafka, again next time."""
        gaps = {
            partition: (expected, records[0].offset)
            for partition, records in fetched.items()
            if records and (expected := self._next.get(partition, records[0].offset)) < records[0].offset
        }
        beginnings = await _beginnings(consumer, list(gaps)) if gaps else {}
        for partition, beginning in beginnings.items():
            expected, first = gaps.pop(partition)
            self.report(partition, expected, min(beginning, first))
        for partition, records in fetched.items():
            if records and partition not in gaps:
                self._next[partition] = records[-1].offset + 1

    def report_start(self, partition: TopicPartition, start: PartitionStart) -> None:
        """Report what is gone before the start of a partition, and read it on from there.

        Messages that were recorded and not committed were perhaps not published.
        """
        self.report(partition, start.recorded, start.offset)
        unpublished = min(start.offset, start.recorded)
        if start.committed < unpublished:
            _log.error(
                "recorded messages gone before they were committed",
                partition=f"{partition.topic}/{partition.partition}",
                offsets=[start.committed, unpublished - 1],
                messages=unpublished - start.committed,
                remedy=_REMEDY_AFTER_RECORDING,
            )
        self.expect({partition: start.offset})

    def report(self, partition: TopicPartition, expected: int, beginning: int) -> None:
        """Report the messages from the expected offset up to where the partition begins, each once."""
        expected = max(expected, self._reported.get(partition, 0))
        if expected >= beginning:
            return
        self._reported[partition] = beginning
        self._metrics.lost(beginning - expected)
        _log.error(
            "messages lost unread",
            partition=f"{partition.topic}/{partition.partition}",
            offsets=[expected, beginning - 1],
            messages=beginning - expected,
            remedy=_REMEDY,
        )


async def _beginnings(
    consumer: AIOKafkaConsumer, partitions: list[TopicPartition]
) -> dict[TopicPartition, int]:
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            beginnings: dict[TopicPartition, int] = await consumer.beginning_offsets(partitions)
    except (KafkaError, TimeoutError):
        return {}
    return beginnings
