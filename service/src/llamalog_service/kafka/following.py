"""Topics followed as they grow: provenance from a moment on, and the events of one backfill run."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from operator import attrgetter
from typing import Final, NamedTuple, TypeVar
from uuid import UUID

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from llamalog_schemas.backfills import BackfillEvent
from llamalog_schemas.codec import decode_backfill_event, decode_provenance
from llamalog_schemas.errors import InvalidMessageError
from llamalog_schemas.provenance import Provenance
from llamalog_service.domain.errors import UnavailableError
from llamalog_service.kafka.clients import open_reader, translate_kafka_errors
from llamalog_service.kafka.reader import PORTION_BYTES, Offsets, end_offsets, topic_partitions
from llamalog_service.kafka.record_batches import Budget, cost_of
from llamalog_service.kafka.topics import topics_of
from llamalog_service.settings import Settings

Answer = TypeVar("Answer")

_POLL_SECONDS: Final = 0.5
_CHECK_SECONDS: Final = 3.0
"""Seconds without a record after which the broker is pinged."""
_ANSWER_SECONDS: Final = 5.0
_MAX_RECORDS: Final = 500

_timestamp = attrgetter("timestamp")


class TopicFollower:
    """The messages of some partitions as they are appended.

    Args:
        consumer: a started consumer of no group, newly made: it is assigned the partitions.
        positions: the next offsets; partitions that are not named are read from their beginning.

    Attributes:
        positions: the next offsets of the partitions read so far.
    """

    def __init__(
        self, consumer: AIOKafkaConsumer, partitions: Collection[TopicPartition], positions: Offsets
    ) -> None:
        self._consumer = consumer
        self.positions = dict(positions)
        self._assign(partitions)

    def _assign(self, partitions: Collection[TopicPartition]) -> None:
        self._consumer.assign(sorted(partitions))
        for partition, position in self.positions.items():
            self._consumer.seek(partition, position)

    def _assign_new_partitions(self) -> None:
        """Follow the partitions that a topic has got since, from their beginning."""
        known = self._consumer.assignment()
        partitions = set(known)
        for topic in {at.topic for at in known}:
            numbers = self._consumer.partitions_for_topic(topic) or ()
            partitions.update(TopicPartition(topic, number) for number in numbers)
        if partitions != known:
            self._assign(partitions)

    async def next(self, within: float) -> list[ConsumerRecord]:
        """The next records, each partition's in order; none if none came within so many seconds."""
        self._assign_new_partitions()
        with Budget(PORTION_BYTES):
            fetched = await self._consumer.getmany(timeout_ms=int(within * 1000), max_records=_MAX_RECORDS)
        for partition, records in fetched.items():
            self.positions[partition] = records[-1].offset + 1
        return [record for records in fetched.values() for record in records]


class LiveRow(NamedTuple):
    """A row as a provenance record states it, and the memory that it takes at most."""

    row: Provenance
    cost: int


class ProvenanceBatch(NamedTuple):
    """Some records of a follower.

    Attributes:
        rows: written or corrected, in the order of publication; a row may be repeated, and a lower revision
            may follow a higher one.
        unavailable: why Kafka cannot be read, while it cannot; there are no rows then.
    """

    rows: list[LiveRow]
    unavailable: str | None = None


class ProvenanceFollower:
    """The rows published from where the topic ended when the follower was opened.

    A row that was published before was committed before: a reader that opens the follower first and reads the
    table then misses nothing. Rows that both return bear the same id and revision.

    Attributes:
        positions: the next offsets, from which another follower may read on.
    """

    def __init__(self, settings: Settings, consumer: AIOKafkaConsumer, topic: TopicFollower) -> None:
        self._settings = settings
        self._consumer = consumer
        self._topic = topic
        self.positions = topic.positions
        self._checked_at = asyncio.get_running_loop().time()

    async def next(self, within: float) -> list[LiveRow]:
        """The next rows, as soon as there are some; none if none was published within so many seconds.

        Raises:
            UnavailableError: Kafka does not answer; calling again continues.
        """
        clock = asyncio.get_running_loop().time
        with translate_kafka_errors(self._settings.kafka):
            records = sorted(await self._topic.next(within), key=_timestamp)
        if not records and clock() - self._checked_at > _CHECK_SECONDS:
            # Silence alone may be an idle topic or an unreachable broker: the client retries for ever.
            await _answered(self._settings, self._ping())
        if records or clock() - self._checked_at > _CHECK_SECONDS:
            self._checked_at = clock()
        return [row for record in records if (row := _live_row(record)) is not None]

    async def __aiter__(self) -> AsyncIterator[ProvenanceBatch]:
        """Rows as they come; a batch without rows says once that Kafka is away, and once that it is back."""
        is_away = False
        while True:
            try:
                rows = await self.next(_POLL_SECONDS)
            except UnavailableError as error:
                if not is_away:
                    yield ProvenanceBatch([], str(error))
                is_away = True
                await asyncio.sleep(_POLL_SECONDS)
                continue
            if rows or is_away:
                yield ProvenanceBatch(rows)
            is_away = False

    async def _ping(self) -> None:
        if self._settings.kafka_durable:
            await self._consumer.end_offsets(list(self.positions))
        else:
            await self._consumer.topics()


OpenProvenanceFollower = Callable[[Offsets | None], AbstractAsyncContextManager[ProvenanceFollower]]
"""`open_provenance_follower` of one installation."""


@asynccontextmanager
async def open_provenance_follower(
    settings: Settings, positions: Offsets | None = None
) -> AsyncIterator[ProvenanceFollower]:
    """A follower of the rows that are published from this moment on; does not wait for Kafka.

    Args:
        positions: those of an earlier follower, to read on from; of partitions that are not named, the end.

    Raises:
        TopicAbsentError: there is no topic of provenance.
        UnavailableError: Kafka does not answer. Once open, the follower itself reports that and continues.
    """
    topic = topics_of(settings).provenance.name
    partitions = await _answered(settings, topic_partitions(settings, topic))
    known = positions or {}
    async with open_reader(settings) as consumer:
        ends = await _answered(settings, end_offsets(consumer, partitions, knows_ends=settings.kafka_durable))
        # A position past the end is one of a topic that was deleted.
        starts = {at: min(known.get(at, end), end) for at, end in ends.items()}
        yield ProvenanceFollower(settings, consumer, TopicFollower(consumer, partitions, starts))


class RunEvents:
    """The events of a backfill run, from the oldest that is retained on.

    Attributes:
        any_seen: whether there was any event of the run so far.
        is_silent: whether the last call of `next` read nothing at all, of this run or another.
    """

    def __init__(self, topic: TopicFollower, run: UUID) -> None:
        self._topic = topic
        self._key = str(run).encode()
        self.any_seen = False
        self.is_silent = False

    async def next(self, within: float) -> list[BackfillEvent]:
        """The next events in order; none if other runs' were read, or nothing within so many seconds."""
        records = await self._topic.next(within)
        self.is_silent = not records
        events = [
            event
            for record in records
            if record.key == self._key and (event := _backfill_event(record)) is not None
        ]
        self.any_seen |= bool(events)
        return events


@asynccontextmanager
async def open_run_events(settings: Settings, run: UUID) -> AsyncIterator[RunEvents]:
    """The events of a run; a run's events share a partition, so that they are in order.

    Raises:
        TopicAbsentError: there is no topic of backfill events.
        UnavailableError: Kafka does not answer.
    """
    partitions = await topic_partitions(settings, topics_of(settings).backfill_events.name)
    async with open_reader(settings) as consumer:
        yield RunEvents(TopicFollower(consumer, partitions, {}), run)


async def _answered(settings: Settings, request: Awaitable[Answer]) -> Answer:
    """The answer of the broker.

    Raises:
        UnavailableError: it fails, or takes too long.
    """
    try:
        with translate_kafka_errors(settings.kafka):
            async with asyncio.timeout(_ANSWER_SECONDS):
                return await request
    except TimeoutError as error:
        raise UnavailableError(
            f"Kafka at {settings.kafka} has not answered for {_ANSWER_SECONDS:.0f} s."
        ) from error


def _live_row(record: ConsumerRecord) -> LiveRow | None:
    """None for a tombstone, a record of a later version, and a message of another program."""
    try:
        return LiveRow(decode_provenance(record.value or b"").data, cost_of(record))
    except InvalidMessageError:
        return None


def _backfill_event(record: ConsumerRecord) -> BackfillEvent | None:
    """None for an event of a later version, and a message of another program."""
    try:
        return decode_backfill_event(record.value or b"")
    except InvalidMessageError:
        return None
