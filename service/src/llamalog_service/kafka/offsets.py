"""Where topics end, and how far a group has come."""

from collections.abc import Collection, Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from llamalog_service.kafka.topics import standing_topics

Offsets = Mapping[TopicPartition, int]


async def partitions_of(admin: AIOKafkaAdminClient, names: Collection[str]) -> list[TopicPartition]:
    """All partitions of these topics; none of a topic that does not stand."""
    standing = await standing_topics(admin)
    return [
        TopicPartition(name, partition["partition"]) for name in names for partition in standing.get(name, ())
    ]


async def end_offsets(
    reader: AIOKafkaConsumer, partitions: Collection[TopicPartition], *, knows_ends: bool
) -> Offsets:
    """The offset that the next message of each partition will get.

    Args:
        reader: a started consumer of no group, newly made: it is assigned the partitions.
        knows_ends: whether the broker can be asked; one that can't tells it when something is fetched.
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
    told = await admin.list_consumer_group_offsets(group, partitions=list(partitions))
    return {partition: max(0, offset.offset) for partition, offset in told.items()}


async def commit_at_least(member: AIOKafkaConsumer, offsets: Offsets) -> bool:
    """Commit offsets for the group of a started consumer, but for those that are committed already or more.

    Returns:
        Whether it was done: a group that is at work commits for itself.
    """
    try:
        member.assign(list(offsets))
        behind = {at: offset for at, offset in offsets.items() if (await member.committed(at) or 0) < offset}
        if behind:
            await member.commit(behind)
    except KafkaError:
        return False
    return True
