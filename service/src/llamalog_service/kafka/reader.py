"""Read what the broker has: topics as they are, their offsets, the lag of a group, ranges of messages."""

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final, NamedTuple, Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaError, OffsetOutOfRangeError

from llamalog_schemas.codec import Headers
from llamalog_service.domain.errors import LlamalogError, UnavailableError
from llamalog_service.kafka.clients import open_admin, open_reader
from llamalog_service.kafka.record_batches import Budget
from llamalog_service.settings import Settings

_MAX_SILENCE_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.2
_MAX_RECORDS: Final = 5000

PORTION_BYTES: Final = 2 * 1024 * 1024
"""Decompressed, read at once; a record more than that. Decoded they may take twenty times as much, and one
portion is decoded while the one before is processed."""

_SET_ON_TOPIC: Final = 1
"""As the source of a value; version 0 of the answer says instead whether it is a default."""

Offsets = Mapping[TopicPartition, int]

TopicConfig = Mapping[str, str]
"""The configuration of one topic, as far as the broker describes it."""


class TopicAbsentError(LlamalogError):
    """A topic that is to be read does not exist."""

    def __init__(self, topic: str) -> None:
        super().__init__(
            f"There is no topic {topic}. Create it with `llamalog topics create`, or correct the prefix "
            "(LLAMALOG_TOPIC_PREFIX)."
        )


class CompactedTopicError(LlamalogError):
    """A topic that is to be read whole keeps one message of those that share a key."""

    def __init__(self, topic: str) -> None:
        super().__init__(
            f"{topic} is compacted: of the events that share a key Kafka keeps the last one, so that others "
            "may be gone already. Nothing was done. See `llamalog topics check`."
        )


class MessagesGoneError(LlamalogError):
    """A topic that is read from its beginning has lost messages that were not read yet."""

    def __init__(self, topic: str, partition: int, offset: int, first: int) -> None:
        super().__init__(
            f"Partition {partition} of {topic} does not hold offset {offset:,} any more, which was to be "
            f"read next: it begins at {first:,}. Retention or an operator removed messages while it was "
            "read, or the topic was deleted and created again. Nothing is skipped, so this ends here. Look "
            "at the retention with `llamalog topics check`; an archive that holds the messages can be read "
            "with `llamalog rebuild --from-file`."
        )


class Record(Protocol):
    """A message as consumed: what aiokafka's ConsumerRecord offers and the service uses."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class Span(NamedTuple):
    """A range of offsets of one partition: from `first` up to before `end`."""

    first: int
    end: int


class Portion(NamedTuple):
    """Some messages, each partition's in order, and the next offset to read of each partition that moved."""

    records: Sequence[Record]
    reached: Mapping[int, int]


async def existing_topics(admin: AIOKafkaAdminClient) -> dict[str, list[dict[str, Any]]]:
    """The metadata of the partitions of every topic of the cluster, by its name."""
    return {topic["topic"]: topic["partitions"] for topic in await admin.describe_topics()}


async def topic_configs(admin: AIOKafkaAdminClient, names: Collection[str]) -> dict[str, TopicConfig]:
    """The configurations of existing topics; empty ones of topics that the broker does not describe."""
    configs: dict[str, TopicConfig] = {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    for response in await admin.describe_configs(resources) if resources else []:
        for code, _, _, name, entries in response.resources:
            configs[name] = {} if code else {entry[0]: entry[1] for entry in entries}
    return configs


async def topic_overrides(admin: AIOKafkaAdminClient, name: str) -> dict[str, str]:
    """The configuration that a topic does not have from its broker."""
    (response,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
    return {
        entry[0]: entry[1]
        for *_, entries in response.resources
        for entry in entries
        if entry[3] == (_SET_ON_TOPIC if response.API_VERSION else False) and entry[1] is not None
    }


async def is_compacted(settings: Settings, topic: str) -> bool:
    """Whether Kafka keeps only the latest message of a key, as far as the broker describes the topic.

    Raises:
        UnavailableError: Kafka does not answer.
    """
    async with open_admin(settings) as admin:
        configs = await topic_configs(admin, [topic])
    return "compact" in configs.get(topic, {}).get("cleanup.policy", "")


async def partitions_of(admin: AIOKafkaAdminClient, names: Collection[str]) -> list[TopicPartition]:
    """All partitions of these topics; none of a topic that does not exist."""
    existing = await existing_topics(admin)
    return [
        TopicPartition(name, partition["partition"]) for name in names for partition in existing.get(name, ())
    ]


async def topic_partitions(settings: Settings, topic: str) -> list[TopicPartition]:
    """All partitions of a topic, at least one.

    Raises:
        TopicAbsentError: there is no such topic.
        UnavailableError: Kafka does not answer.
    """
    async with open_admin(settings) as admin:
        partitions = await partitions_of(admin, [topic])
    if not partitions:
        raise TopicAbsentError(topic)
    return partitions


async def end_offsets(
    reader: AIOKafkaConsumer, partitions: Collection[TopicPartition], *, knows_ends: bool
) -> Offsets:
    """The offset that the next message of each partition will get.

    Args:
        reader: a started consumer of no group, newly made: it is assigned the partitions.
        knows_ends: whether the broker answers such a request; if not, its answer to a fetch has them.
    """
    if knows_ends:
        ends: Offsets = await reader.end_offsets(list(partitions))
        return ends
    reader.assign(list(partitions))
    while True:
        await reader.getmany(timeout_ms=100, max_records=1)
        highest = {partition: reader.highwater(partition) for partition in partitions}
        if None not in highest.values():
            return highest


async def first_offsets(reader: AIOKafkaConsumer, partitions: Collection[TopicPartition]) -> Offsets:
    """The lowest offset that each partition still holds; only of a broker that answers such a request."""
    firsts: Offsets = await reader.beginning_offsets(list(partitions))
    return firsts


async def committed_offsets(
    admin: AIOKafkaAdminClient, group: str, partitions: Collection[TopicPartition]
) -> Offsets:
    """The offset up to which a group has committed each partition; 0 where it has not committed any."""
    committed = await admin.list_consumer_group_offsets(group, partitions=list(partitions))
    return {partition: max(0, offset.offset) for partition, offset in committed.items()}


async def commit_if_behind(settings: Settings, group: str, offsets: Mapping[tuple[str, int], int]) -> bool:
    """Commit offsets for a group, by topic and partition, but for those that are committed already or more.

    Returns:
        Whether it was done: a group with active members commits for itself.

    Raises:
        UnavailableError: Kafka does not answer.
    """
    by_partition = {TopicPartition(*partition): offset for partition, offset in offsets.items()}
    async with open_reader(settings, group=group) as member:
        try:
            member.assign(list(by_partition))
            behind = {
                at: offset
                for at, offset in by_partition.items()
                if (await member.committed(at) or 0) < offset
            }
            if behind:
                await member.commit(behind)
        except KafkaError:
            return False
    return True


async def read_lag(settings: Settings, group: str, topic: str) -> int:
    """Messages of a topic past what a group has committed.

    Raises:
        UnavailableError: Kafka does not answer.
    """
    async with open_admin(settings) as admin:
        ends = await read_ends(settings, admin, topic)
        try:
            committed = await committed_offsets(admin, group, ends)
        except GroupCoordinatorNotAvailableError:
            committed = {}  # before its first group, Apache Kafka has no topic for offsets
    return sum(max(0, end - committed.get(partition, 0)) for partition, end in ends.items())


async def read_ends(settings: Settings, admin: AIOKafkaAdminClient, topic: str) -> Offsets:
    """The offset that the next message of each partition will get.

    Raises:
        UnavailableError: Kafka does not answer.
    """
    partitions = await partitions_of(admin, [topic])
    async with open_reader(settings) as reader:
        return await end_offsets(reader, partitions, knows_ends=settings.kafka_durable)


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
    """The messages of these spans, a fetch at a time, bounded in number and in bytes.

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
        with Budget(PORTION_BYTES):
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


class TopicReader:
    """A topic that is read whole: its offsets, and the messages between them."""

    def __init__(self, settings: Settings, topic: str) -> None:
        self._settings = settings
        self._topic = topic

    async def spans(self) -> dict[int, Span]:
        """The offsets of each partition.

        Raises:
            TopicAbsentError: there is no such topic.
            CompactedTopicError: events may be gone.
            UnavailableError: Kafka does not answer.
        """
        spans = await read_spans(self._settings, self._topic)
        if self._settings.kafka_durable and await is_compacted(self._settings, self._topic):
            raise CompactedTopicError(self._topic)
        return spans

    async def read(self, starts: Mapping[int, int], ends: Mapping[int, int]) -> AsyncGenerator[Portion]:
        """The messages from `starts` up to before `ends`, by partition.

        Raises:
            MessagesGoneError: the topic has lost some of them since `spans`.
            UnavailableError: Kafka does not answer.
        """
        spans = {partition: Span(starts.get(partition, 0), end) for partition, end in ends.items()}
        async with aclosing(read_range(self._settings, self._topic, spans, skips=False)) as portions:
            async for portion in portions:
                yield portion
