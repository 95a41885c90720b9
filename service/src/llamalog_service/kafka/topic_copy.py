"""A copy of a topic in a new one: the same messages in the same order, each as a function gives it.

A portion of messages and the offset up to which the source is copied are written in one transaction, so that
a copy that was killed goes on where it was, and holds no message twice.
"""

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from itertools import groupby
from operator import attrgetter
from typing import Final, NamedTuple

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    InvalidProducerEpoch,
    MessageSizeTooLargeError,
    ProducerFenced,
    RecordListTooLargeError,
)

from llamalog_service.domain.errors import LlamalogError, PositionPastEndError
from llamalog_service.kafka.clients import (
    MessageToSend,
    open_admin,
    open_producer,
    translate_kafka_errors,
)
from llamalog_service.kafka.publisher import MessageTooLargeError, all_settled, send_batches
from llamalog_service.kafka.reader import (
    Portion,
    Record,
    Span,
    committed_offsets,
    existing_topics,
    read_range,
    read_spans,
    topic_overrides,
)
from llamalog_service.kafka.topics import TopicSpec, create_topics
from llamalog_service.settings import Settings

REWRITE_PREFIX: Final = "llamalog-rewrite-"
"""Of the transactional id, and of the group that keeps how far a copy is; the target's name follows."""

_COMPRESSION: Final = "gzip"
"""A message may have come compressed, and be larger than its topic takes uncompressed."""
_SERVER_TIME: Final = "message.timestamp.type"
"""Is not copied: the messages keep the times that they have."""

Change = Callable[[Record], MessageToSend]
"""The message that stands in the copy for one of the source."""

OnProgress = Callable[[tuple[str, int, int | None]], None]
"""Is given a step, how many offsets of it are done, and how many there are."""


class CopyTargetError(LlamalogError):
    """The target of a copy is of another form, or holds other messages."""

    def __init__(self, target: str, fault: str) -> None:
        super().__init__(
            f"{target} cannot be continued: {fault}. Nothing was changed. Name another topic with --to, or "
            "delete this one if no process uses it, and run the same command again."
        )


class CopyBusyError(LlamalogError):
    """Another process has begun to write the same copy."""

    def __init__(self, target: str) -> None:
        super().__init__(
            f"Another `llamalog topics rewrite` has begun to write into {target}, so this one has ended; "
            "what both have copied is there once. There is one at a time."
        )


class CopyDiffersError(LlamalogError):
    """The verification has found a message of the copy that is not as it has to be."""

    def __init__(self, source: str, target: str, partition: int, offset: int, fault: str) -> None:
        super().__init__(
            f"Partition {partition} of {target} is not the copy of {source}: {fault} (source offset "
            f"{offset:,}). Nothing was moved. If a person was erased since the copy began, or another "
            f"program wrote to {target}: delete that topic, and run the same command again."
        )


class VerifiedCopy(NamedTuple):
    """A copy whose every message was compared with its source.

    Attributes:
        records: how many messages both hold.
        changed: how many of them are not byte for byte those of the source.
        digest: SHA-256 over partitions, keys, times, headers and values of the copy, in order.
        offsets: the offset in the copy for each partition and offset of the source that was given: that of
            the same next message.
    """

    records: int
    changed: int
    digest: str
    offsets: Mapping[tuple[int, int], int]


class TopicCopy:
    """The copy of one topic in another.

    Args:
        change: has to be a pure function: a verification calls it again.
    """

    def __init__(self, settings: Settings, source: str, target: str, change: Change) -> None:
        self._settings = settings
        self._source = source
        self._target = target
        self._change = change
        self._name = f"{REWRITE_PREFIX}{target}"

    async def create(self) -> None:
        """Create the target with as many partitions and the configuration of the source, unless it exists.

        Raises:
            TopicAbsentError: there is no source.
            CopyTargetError: the target has another number of partitions.
            UnavailableError: Kafka does not answer.
        """
        spans = await read_spans(self._settings, self._source)
        async with open_admin(self._settings) as admin:
            existing = await existing_topics(admin)
            if self._target in existing:
                if len(existing[self._target]) != len(spans):
                    fault = f"it has {len(existing[self._target])} partitions, {self._source} {len(spans)}"
                    raise CopyTargetError(self._target, fault)
                return
            config = await topic_overrides(admin, self._source)
            config.pop(_SERVER_TIME, None)
            replicas = len(existing[self._source][0]["replicas"])
            spec = TopicSpec(self._target, len(spans), config)
            await create_topics(admin, [spec], replication_factor=replicas)

    async def run(self, on_progress: OnProgress) -> int:
        """Copy what is not copied yet, up to the source's present end; how many messages.

        Raises:
            CopyTargetError: the target holds messages, and how far they go is not known.
            CopyBusyError: another process copies into the same target.
            MessagesGoneError: retention has removed messages before they were copied.
            LlamalogError: Kafka does not answer, or refuses a message.
        """
        records = 0
        async with self._producing() as producer:
            starts = await self.reached()
            spans = {
                partition: Span(max(span.first, starts.get(partition, 0)), span.end)
                for partition, span in (await read_spans(self._settings, self._source)).items()
            }
            total = sum(max(0, span.end - span.first) for span in spans.values())
            done = 0
            on_progress(("copying", done, total))
            at = {partition: span.first for partition, span in spans.items()}
            portions = read_range(self._settings, self._source, spans, skips=False)
            async with aclosing(portions) as fetched:
                async for portion in fetched:
                    await self._write(producer, portion)
                    records += len(portion.records)
                    done += sum(offset - at[partition] for partition, offset in portion.reached.items())
                    at |= portion.reached
                    on_progress(("copying", done, total))
        return records

    async def reached(self) -> dict[int, int]:
        """The offset up to which each partition of the source is copied; none of those that are not begun.

        Raises:
            CopyTargetError: the target holds messages, and no such offset is known.
        """
        targets = await read_spans(self._settings, self._target)
        partitions = [TopicPartition(self._source, partition) for partition in targets]
        async with open_admin(self._settings) as admin:
            try:
                committed = await committed_offsets(admin, self._name, partitions)
            except GroupCoordinatorNotAvailableError:
                if any(span.end for span in targets.values()):
                    raise
                committed = {}  # before its first group, Apache Kafka has no topic for offsets
        found = {at.partition: offset for at, offset in committed.items() if offset}
        for partition in sorted(targets.keys() - found.keys()):
            await self._require_empty(partition, targets[partition])
        return found

    async def _require_empty(self, partition: int, span: Span) -> None:
        """Require that a partition of the target holds no message, be it those of aborted transactions."""
        async with aclosing(_records(self._settings, self._target, partition, span)) as records:
            async for _ in records:
                raise CopyTargetError(
                    self._target,
                    f"it holds messages in partition {partition}, and how far they go is not known",
                )

    async def is_complete(self) -> bool:
        """Whether the source ends where its copy does.

        Raises:
            LlamalogError: as of `reached`.
        """
        reached = await self.reached()
        spans = await read_spans(self._settings, self._source)
        return all(reached.get(partition, span.first) >= span.end for partition, span in spans.items())

    async def verify(self, wanted: Mapping[int, set[int]], on_progress: OnProgress) -> VerifiedCopy:
        """Read both topics again and compare each message with the one that it has to be.

        Args:
            wanted: offsets of the source, by partition, to be translated.

        Raises:
            CopyDiffersError: a message is missing, too many, or another.
            PositionPastEndError: an offset that is wanted lies past what is copied.
            LlamalogError: Kafka does not answer, or the source has lost messages meanwhile.
        """
        reached, targets = await self.reached(), await read_spans(self._settings, self._target)
        sources = {
            partition: Span(span.first, reached.get(partition, span.first))
            for partition, span in (await read_spans(self._settings, self._source)).items()
        }
        total = sum(end - first for first, end in sources.values())
        comparison = _Comparison(self._source, self._target, self._change)
        before = 0
        for partition, span in sorted(sources.items()):
            comparison.begin(partition, wanted.get(partition, set()))
            copies = _records(self._settings, self._target, partition, targets[partition])
            originals = _records(self._settings, self._source, partition, span)
            async with aclosing(copies), aclosing(originals):
                async for record in originals:
                    comparison.add(record, await anext(copies, None))
                    if comparison.records % 1000 == 0:
                        on_progress(("verifying", before + record.offset - span.first, total))
                comparison.end(span.end, await anext(copies, None), targets[partition].end)
            before += span.end - span.first
        on_progress(("verifying", total, total))
        return comparison.result()

    @asynccontextmanager
    async def _producing(self) -> AsyncIterator[AIOKafkaProducer]:
        """A producer of transactions; one that was killed before it can write no more from now on."""
        try:
            async with open_producer(
                self._settings, compression=_COMPRESSION, transactional_id=self._name
            ) as producer:
                with translate_kafka_errors(self._settings.kafka):
                    yield producer
        except (ProducerFenced, InvalidProducerEpoch) as error:
            raise CopyBusyError(self._target) from error

    async def _write(self, producer: AIOKafkaProducer, portion: Portion) -> None:
        reached = {TopicPartition(self._source, at): offset for at, offset in portion.reached.items()}
        try:
            async with producer.transaction():
                async with all_settled() as acknowledged:
                    records = sorted(portion.records, key=attrgetter("partition"))
                    for partition, share in groupby(records, attrgetter("partition")):
                        copies = (_copy_of(record, self._change) for record in share)
                        await send_batches(producer, self._target, partition, copies, acknowledged)
                await producer.send_offsets_to_transaction(reached, self._name)
        except (ProducerFenced, InvalidProducerEpoch) as error:
            raise CopyBusyError(self._target) from error
        except (MessageSizeTooLargeError, RecordListTooLargeError) as error:
            raise MessageTooLargeError(self._target, error) from error


def _copy_of(record: Record, change: Change) -> MessageToSend:
    """The message that stands for one of the source, at its time."""
    return change(record)._replace(timestamp=time_of(record))


def _as_it_is(record: Record) -> MessageToSend:
    return MessageToSend(record.key, record.value, list(record.headers), time_of(record))


def time_of(record: Record) -> int:
    """The time of a message, in milliseconds since 1970."""
    return int(getattr(record, "timestamp", 0))


class _Comparison:
    """Compares the messages of a copy with those of its source, in their order."""

    def __init__(self, source: str, target: str, change: Change) -> None:
        self._source = source
        self._target = target
        self._change = change
        self._digest = hashlib.sha256()
        self._partition = 0
        self._wanted: list[int] = []
        self._offsets: dict[tuple[int, int], int] = {}
        self._changed = 0
        self.records = 0

    def begin(self, partition: int, wanted: set[int]) -> None:
        """Begin with the first message of a partition."""
        self._partition = partition
        self._wanted = sorted(wanted, reverse=True)
        self._digest.update(b"partition %d;" % partition)

    def add(self, record: Record, copy: Record | None) -> None:
        """Compare a message with the one that stands for it."""
        if copy is None:
            raise self._differs(record.offset, "it ends before that")
        self._translate(record.offset, copy.offset)
        found = _as_it_is(copy)
        if found != _copy_of(record, self._change):
            raise self._differs(record.offset, f"its message at {copy.offset:,} is another")
        if _copy_of(copy, self._change) != found:
            raise self._differs(record.offset, f"its message at {copy.offset:,} names an erased person")
        self._changed += found != _as_it_is(record)
        self.records += 1
        self._digest.update(repr((found.timestamp, found.key, found.value, found.headers)).encode())

    def end(self, offset: int, copy: Record | None, copy_end: int) -> None:
        """End a partition, whose copy may hold no further message."""
        if copy is not None:
            raise self._differs(offset, f"it holds one more message, at {copy.offset:,}")
        while self._wanted:
            position = self._wanted.pop()
            if position > offset:
                raise PositionPastEndError(
                    self._source, self._partition, position, offset, advice="Nothing was moved."
                )
            self._offsets[self._partition, position] = copy_end

    def result(self) -> VerifiedCopy:
        """The comparison of all partitions."""
        return VerifiedCopy(self.records, self._changed, self._digest.hexdigest(), self._offsets)

    def _translate(self, offset: int, copy_offset: int) -> None:
        while self._wanted and self._wanted[-1] <= offset:
            self._offsets[self._partition, self._wanted.pop()] = copy_offset

    def _differs(self, offset: int, fault: str) -> CopyDiffersError:
        return CopyDiffersError(self._source, self._target, self._partition, offset, fault)


async def _records(settings: Settings, topic: str, partition: int, span: Span) -> AsyncGenerator[Record]:
    async with aclosing(read_range(settings, topic, {partition: span}, skips=False)) as portions:
        async for portion in portions:
            for record in portion.records:
                yield record
