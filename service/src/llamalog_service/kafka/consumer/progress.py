"""How far a delivery is, for whoever has to tell that it gets on."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError

EndsOf = Callable[[Collection[TopicPartition]], Awaitable[Mapping[TopicPartition, int]]]
"""The offset that the next message of each partition will get; none of a broker that cannot tell."""

_POSITION_SECONDS = 1.0


@dataclass(slots=True)
class Progress:
    """Counted by the delivery itself; whoever looks compares two moments.

    Attributes:
        polls: fetches that came back, empty or not.
        commits: offsets that Kafka has taken.
        is_joined: whether the group has told this consumer which partitions it has; none is an answer too.
        committed: the next offset of each partition that was committed since it was assigned.
    """

    polls: int = 0
    commits: int = 0
    is_joined: bool = False
    committed: dict[TopicPartition, int] = field(default_factory=dict)


class Reading(NamedTuple):
    """How much is left of the partitions assigned.

    Attributes:
        lag: messages past the committed offset, by topic and partition.
        is_behind: whether something is left to fetch, or it is not known how far the consumer is.
    """

    lag: Mapping[tuple[str, int], int]
    is_behind: bool


async def read_progress(consumer: AIOKafkaConsumer, progress: Progress, ends_of: EndsOf) -> Reading:
    """Compare where a consumer is with where its partitions end.

    A partition may end with messages that no consumer is shown, a transaction's markers say: it has lag then,
    and nothing is left to fetch.

    Raises:
        UnavailableError: Kafka does not tell.
    """
    partitions = sorted(consumer.assignment())
    ends = await ends_of(partitions)
    positions = await asyncio.gather(*[_position(consumer, partition) for partition in partitions])
    lag, is_behind = {}, False
    for partition, position in zip(partitions, positions, strict=True):
        end = ends.get(partition, consumer.highwater(partition) or 0)
        is_behind |= position is None or position < end
        reached = progress.committed.get(partition, position)
        if reached is not None:
            lag[partition.topic, partition.partition] = max(0, end - reached)
    return Reading(lag, is_behind)


async def _position(consumer: AIOKafkaConsumer, partition: TopicPartition) -> int | None:
    """None where the consumer does not know it itself, or lost the partition meanwhile."""
    try:
        async with asyncio.timeout(_POSITION_SECONDS):
            position: int = await consumer.position(partition)
    except (TimeoutError, IllegalStateError):
        return None
    return position
