"""Partitions and their offsets: first, end, committed by a group; the lag between."""

from collections.abc import Collection, Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaError

from llamalog_service.kafka.clients import open_admin, open_reader
from llamalog_service.kafka.errors import TopicAbsentError
from llamalog_service.kafka.topics import existing_topics
from llamalog_service.settings import Settings

Offsets = Mapping[TopicPartition, int]


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
        knows_ends: whether the broker can be asked; if not, its answer to a fetch says it.
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
    """The lowest offset that each partition still holds; only of a broker that can be asked."""
    firsts: Offsets = await reader.beginning_offsets(list(partitions))
    return firsts


async def committed_offsets(
    admin: AIOKafkaAdminClient, group: str, partitions: Collection[TopicPartition]
) -> Offsets:
    """The offset up to which a group has committed each partition; 0 where it has not committed any."""
    committed = await admin.list_consumer_group_offsets(group, partitions=list(partitions))
    return {partition: max(0, offset.offset) for partition, offset in committed.items()}


async def commit_if_behind(member: AIOKafkaConsumer, offsets: Offsets) -> bool:
    """Commit offsets for the group of a started consumer, but for those that are committed already or more.

    Returns:
        Whether it was done: a group with active members commits for itself.
    """
    try:
        member.assign(list(offsets))
        behind = {at: offset for at, offset in offsets.items() if (await member.committed(at) or 0) < offset}
        if behind:
            await member.commit(behind)
    except KafkaError:
        return False
    return True


async def read_lag(settings: Settings, admin: AIOKafkaAdminClient, group: str, topic: str) -> int:
    """Messages of a topic past what a group has committed.

    Raises:
        UnavailableError: Kafka does not answer.
    """
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
