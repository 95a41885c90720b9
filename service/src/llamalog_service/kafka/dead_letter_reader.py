"""Dead letters as they are kept: read back, the message in them told from what we added."""

from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from msgspec import Struct

from llamalog_schemas.codec import Headers
from llamalog_service.domain.errors import UnavailableError
from llamalog_service.kafka.dead_letters import (
    ADDED_HEADERS,
    ERROR,
    OFFSET,
    PARTITION,
    REASON,
    TOPIC,
    TRUNCATED,
)
from llamalog_service.kafka.offsets import Offsets

UNNAMED: Final = "(no reason given)"
"""Stands for the reason of a message among the dead letters that llamalog did not put there."""

_LONGEST_SILENCE: Final = 30.0
_POLL_MILLISECONDS: Final = 200


class DeadLetterPosition(NamedTuple):
    """Where a letter lies in the topic of dead letters; they compare in the order of reading."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}/{self.offset}"


class Coordinates(NamedTuple):
    """Where a message was read that became a dead letter."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


class StoredDeadLetter(Struct, frozen=True):
    """A message of the topic of dead letters.

    Attributes:
        position: where it lies there.
        kept_at: when it was put there, UTC.
        came_from: None if it bears none of our headers: somebody else put it there.
        truncated: what was kept of a message too large to be kept whole.
        key, value, headers: of the message as it came.
    """

    position: DeadLetterPosition
    kept_at: datetime
    came_from: Coordinates | None
    reason: str
    sentence: str
    truncated: str | None
    key: bytes | None
    value: bytes | None
    headers: Headers


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
            letters = [as_kept(record) for record in fetched.get(partition, ()) if record.offset < end]
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


def as_kept(record: ConsumerRecord) -> StoredDeadLetter:
    """A record of the topic of dead letters, our headers taken off its end.

    They stand behind all others, so that what a message itself calls ``llamalog-…`` stays with it.
    """
    headers, added = _told_apart(record.headers)
    return StoredDeadLetter(
        position=DeadLetterPosition(record.partition, record.offset),
        kept_at=datetime.fromtimestamp(max(0, record.timestamp) / 1000, UTC),
        came_from=_coordinates(added),
        reason=added.get(REASON, UNNAMED),
        sentence=added.get(ERROR, ""),
        truncated=added.get(TRUNCATED),
        key=record.key,
        value=record.value,
        headers=headers,
    )


def _told_apart(headers: Headers) -> tuple[Headers, dict[str, str]]:
    names = tuple(name for name, _ in headers)
    for ours in (ADDED_HEADERS, (*ADDED_HEADERS, TRUNCATED)):
        if names[-len(ours) :] == ours:
            return list(headers[: -len(ours)]), dict(_texts(headers[-len(ours) :]))
    return list(headers), {}


def _texts(headers: Headers) -> Iterator[tuple[str, str]]:
    for name, content in headers:
        yield name, (content or b"").decode(errors="replace")


def _coordinates(added: Mapping[str, str]) -> Coordinates | None:
    try:
        return Coordinates(added[TOPIC], int(added[PARTITION]), int(added[OFFSET]))
    except (KeyError, ValueError):
        return None
