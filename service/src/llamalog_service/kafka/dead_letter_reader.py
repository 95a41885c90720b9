"""Read dead letters back from their topic."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from llamalog_service.domain.errors import UnavailableError
from llamalog_service.kafka.clients import open_admin, open_reader
from llamalog_service.kafka.dead_letters import DeadLetterPosition, StoredDeadLetter, parse_dead_letter
from llamalog_service.kafka.errors import TopicAbsentError
from llamalog_service.kafka.offsets import Offsets, end_offsets, first_offsets, partitions_of
from llamalog_service.kafka.topics import topics
from llamalog_service.settings import Settings

Spans = Mapping[TopicPartition, tuple[int, int]]
"""By partition the first offset, and the one to end before."""

_LONGEST_SILENCE: Final = 30.0
_POLL_MILLISECONDS: Final = 200


async def find_spans(settings: Settings, after: DeadLetterPosition | None = None) -> Spans:
    """The spans of all dead letters that exist at this moment.

    Args:
        after: leave out the dead letters up to this position.

    Raises:
        TopicAbsentError: there is no topic of dead letters.
        UnavailableError: Kafka does not answer.
    """
    name = topics(settings.topic_prefix).dead_letters.name
    async with open_admin(settings) as admin:
        partitions = await partitions_of(admin, [name])
    if not partitions:
        raise TopicAbsentError(name)
    async with open_reader(settings) as reader:
        ends = await end_offsets(reader, partitions, knows_ends=settings.kafka_durable)
        firsts = await first_offsets(reader, partitions) if settings.kafka_durable else {}
    return spans_of(firsts, ends, after)


async def fetch_dead_letters(
    settings: Settings, spans: Spans
) -> AsyncGenerator[list[StoredDeadLetter], None]:
    """The dead letters of some spans, a fetch at a time.

    Raises:
        UnavailableError: Kafka does not answer.
    """
    if all(start >= end for start, end in spans.values()):
        return  # aiokafka's consumer does not stop well before it has fetched anything
    async with open_reader(settings) as reader:
        async for batch in read_dead_letters(reader, spans):
            yield batch


async def read_dead_letters(
    reader: AIOKafkaConsumer, spans: Mapping[TopicPartition, tuple[int, int]]
) -> AsyncIterator[list[StoredDeadLetter]]:
    """The letters of some partitions, one partition after the other, a fetch at a time.

    Args:
        reader: a started consumer of no group, newly made: it is assigned the partitions.
        spans: the first offset of each partition that is asked for and the one to end before. What
            retention removes meanwhile is not there to be read.

    Raises:
        UnavailableError: nothing came for a long time.
    """
    for partition, (start, end) in sorted(spans.items()):
        if start >= end:
            continue
        reader.assign([partition])
        reader.seek(partition, start)
        silent = 0.0
        while (reached := await reader.position(partition)) < end:
            fetched = await reader.getmany(timeout_ms=_POLL_MILLISECONDS)
            letters = [
                parse_dead_letter(record) for record in fetched.get(partition, ()) if record.offset < end
            ]
            if letters:
                yield letters
            silent = 0.0 if await reader.position(partition) > reached else silent + _POLL_MILLISECONDS / 1000
            if silent > _LONGEST_SILENCE:
                raise UnavailableError(
                    f"Kafka has sent nothing of {partition.topic} for {_LONGEST_SILENCE:.0f} s."
                )


def spans_of(
    firsts: Offsets, ends: Offsets, after: DeadLetterPosition | None = None
) -> dict[TopicPartition, tuple[int, int]]:
    """What is to be read: everything that is there, or what lies behind a place."""
    spans = {partition: (firsts.get(partition, 0), end) for partition, end in ends.items()}
    if after is None:
        return spans
    behind = {at: span for at, span in spans.items() if at.partition >= after.partition}
    for at, (start, end) in behind.items():
        if at.partition == after.partition:
            behind[at] = (max(start, after.offset + 1), end)
    return behind
