"""Read the messages that a topic holds: ranges of offsets, all partitions at once, each in order."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Final, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from llamalog_service.domain.errors import UnavailableError
from llamalog_service.kafka.clients import open_reader
from llamalog_service.kafka.dead_letters import Record
from llamalog_service.kafka.errors import MessagesGoneError
from llamalog_service.kafka.offsets import end_offsets, first_offsets, topic_partitions
from llamalog_service.settings import Settings

_MAX_SILENCE_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.2
_MAX_RECORDS: Final = 5000


class Span(NamedTuple):
    """A range of offsets of one partition: from `first` up to before `end`."""

    first: int
    end: int


class Portion(NamedTuple):
    """Some messages, each partition's in order, and the next offset to read of each partition that moved."""

    records: Sequence[Record]
    reached: Mapping[int, int]


async def read_spans(settings: Settings, topic: str) -> dict[int, Span]:
    """The offsets that a topic holds at this moment, by partition.

    Raises:
        TopicAbsentError: there is no such topic.
        UnavailableError: Kafka does not answer.
    """
    partitions = await topic_partitions(settings, topic)
    async with open_reader(settings) as reader:
        ends = await end_offsets(reader, partitions, knows_ends=settings.kafka_durable)
        firsts = await first_offsets(reader, partitions) if settings.kafka_durable else {}
    return {at.partition: Span(firsts.get(at, 0), end) for at, end in ends.items()}


async def read_range(
    settings: Settings, topic: str, spans: Mapping[int, Span], *, skips: bool = True
) -> AsyncGenerator[Portion]:
    """The messages of these spans, a fetch at a time.

    Args:
        spans: by partition.
        skips: pass over messages that retention has removed; else their absence is an error.

    Raises:
        MessagesGoneError: a partition begins later by now than where it was to be read on.
        UnavailableError: Kafka does not answer, or has sent nothing for a long time.
    """
    left = {
        TopicPartition(topic, partition): span.end
        for partition, span in spans.items()
        if span.first < span.end
    }
    if not left:
        return  # aiokafka's consumer does not stop well before its first fetch
    async with open_reader(settings, skips=skips) as reader:
        reader.assign(list(left))
        for partition in left:
            reader.seek(partition, spans[partition.partition].first)
        silent = 0.0
        while left:
            fetched = await _fetch(reader, left)
            records: list[Record] = []
            reached: dict[int, int] = {}
            for partition, end in list(left.items()):
                found = fetched.get(partition, [])
                records += (
                    found
                    if not found or found[-1].offset < end
                    else [record for record in found if record.offset < end]
                )
                position = min(await reader.position(partition), end)
                if found or position == end:
                    reached[partition.partition] = position
                if position == end:
                    reader.pause(partition)
                    del left[partition]
            silent = 0.0 if reached else silent + _POLL_SECONDS
            if reached:
                yield Portion(records, reached)
            if silent > _MAX_SILENCE_SECONDS:
                raise UnavailableError(f"Kafka has sent nothing of {topic} for {_MAX_SILENCE_SECONDS:.0f} s.")


async def _fetch(
    reader: AIOKafkaConsumer, left: Mapping[TopicPartition, int]
) -> Mapping[TopicPartition, Sequence[Record]]:
    """Some messages; messages gone of partitions that were read to their end are no loss.

    Raises:
        MessagesGoneError: as for `read_range`.
    """
    try:
        fetched: Mapping[TopicPartition, Sequence[Record]] = await reader.getmany(
            timeout_ms=int(_POLL_SECONDS * 1000), max_records=_MAX_RECORDS
        )
    except OffsetOutOfRangeError as error:
        for partition, offset in error.args[0].items():
            if partition in left:
                firsts = await first_offsets(reader, [partition])
                raise MessagesGoneError(
                    partition.topic, partition.partition, offset, firsts[partition]
                ) from error
        return {}
    return fetched
