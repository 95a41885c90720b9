"""The consumer groups that read a topic: their members, and up to where they have committed it."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from aiokafka import TopicPartition

from llamalog_service.kafka.clients import open_admin
from llamalog_service.kafka.reader import partitions_of
from llamalog_service.settings import Settings


class GroupOfTopic(NamedTuple):
    """A group that has committed offsets of a topic.

    Attributes:
        offsets: by partition.
        members: how many consumers it has at this moment, of whichever topics.
    """

    offsets: Mapping[int, int]
    members: int


async def groups_of_topic(
    settings: Settings, topic: str, *, always: Collection[str] = ()
) -> dict[str, GroupOfTopic]:
    """The groups that have committed offsets of a topic, as far as Kafka lets this principal see them.

    Args:
        always: groups that are there in any case, since they read or write the topic from time to time.

    Raises:
        UnavailableError: Kafka does not answer.
    """
    found: dict[str, GroupOfTopic] = {}
    async with open_admin(settings) as admin:
        partitions: list[TopicPartition] = await partitions_of(admin, [topic])
        for name in sorted({*always, *(group[0] for group in await admin.list_consumer_groups())}):
            committed = await admin.list_consumer_group_offsets(name, partitions=partitions)
            offsets = {at.partition: entry.offset for at, entry in committed.items() if entry.offset >= 0}
            if offsets or name in always:
                (answer,) = await admin.describe_consumer_groups([name])
                found[name] = GroupOfTopic(offsets, sum(len(group[5]) for group in answer.groups))
    return found
