"""A topic from its beginning: what it still holds, and its messages, all partitions at once."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import OffsetOutOfRangeError

from llamalog_service.domain.errors import UnavailableError
from llamalog_service.kafka.dead_letters import Record
from llamalog_service.kafka.errors import MessagesGoneError

_LONGEST_SILENCE: Final = 30.0
_POLL_MILLISECONDS: Final = 200
_RECORDS_AT_ONCE: Final = 5000


class Span(NamedTuple):
    """The first offset that a partition still holds, and the one that its next message will get."""

    first: int
    end: int


class Portion(NamedTuple):
    """Some messages, each partition's in order, and the next offset to read of each partition that moved."""

    records: Sequence[Record]
    reached: Mapping[int, int]


async def is_compacted(admin: AIOKafkaAdminClient, topic: str) -> bool:
    """Whether Kafka keeps one message of those that share a key, as far as the broker tells."""
    asked = [ConfigResource(ConfigResourceType.TOPIC, topic)]
    for response in await admin.describe_configs(asked):
        for code, _, _, _, entries in response.resources:
            if not code:
                return "compact" in {entry[0]: entry[1] for entry in entries}.get("cleanup.policy", "")
    return False


async def read_history(
    reader: AIOKafkaConsumer, topic: str, starts: Mapping[int, int], ends: Mapping[int, int]
) -> AsyncIterator[Portion]:
    """The messages of a topic from `starts` up to before `ends`, by partition.

    Args:
        reader: a started consumer of no group, newly made: it is assigned the partitions. It skips nothing
            that is gone.

    Raises:
        MessagesGoneError: a partition begins later by now than where it was to be read on.
        UnavailableError: nothing came for a long time.
    """
    left = {
        TopicPartition(topic, partition): end
        for partition, end in ends.items()
        if starts.get(partition, 0) < end
    }
    if not left:
        return
    reader.assign(list(left))
    for partition in left:
        reader.seek(partition, starts.get(partition.partition, 0))
    silent = 0.0
    while left:
        fetched = await _fetched(reader, left)
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
        silent = 0.0 if reached else silent + _POLL_MILLISECONDS / 1000
        if reached:
            yield Portion(records, reached)
        if silent > _LONGEST_SILENCE:
            raise UnavailableError(f"Kafka has sent nothing of {topic} for {_LONGEST_SILENCE:.0f} s.")


async def _fetched(
    reader: AIOKafkaConsumer, left: Mapping[TopicPartition, int]
) -> Mapping[TopicPartition, Sequence[Record]]:
    """Some messages; what is gone of partitions that were read to their end is no loss.

    Raises:
        MessagesGoneError: as for `read_history`.
    """
    try:
        fetched: Mapping[TopicPartition, Sequence[Record]] = await reader.getmany(
            timeout_ms=_POLL_MILLISECONDS, max_records=_RECORDS_AT_ONCE
        )
    except OffsetOutOfRangeError as error:
        for partition, offset in error.args[0].items():
            if partition in left:
                firsts = await reader.beginning_offsets([partition])
                raise MessagesGoneError(
                    partition.topic, partition.partition, offset, firsts[partition]
                ) from error
        return {}
    return fetched
