"""What Kafka itself reports: how far a group has committed, and what a topic holds."""

from typing import Self

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError

from llamalog_service.kafka.topics import TopicSpec


class GroupWatch:
    """Looks at consumer groups from outside, at the cost of one or two small requests a look."""

    def __init__(self, admin: AIOKafkaAdminClient, client: AIOKafkaConsumer) -> None:
        self._admin = admin
        self._client = client
        self._coordinators: dict[str, int] = {}

    @classmethod
    async def connect(cls, bootstrap: str) -> Self:
        """A watch that is to be closed."""
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        await admin.start()
        client = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
        await client.start()
        return cls(admin, client)

    async def close(self) -> None:
        """Disconnect."""
        await self._client.stop()
        await self._admin.close()

    async def has_members(self, group: str) -> bool:
        """Whether a member has joined the group and it is at rest."""
        try:
            responses = await self._admin.describe_consumer_groups([group])
        except GroupCoordinatorNotAvailableError:
            return False  # no member ever joined a group: Kafka is about to make the topic of their offsets
        return all(state == "Stable" for response in responses for _, _, state, *_ in response.groups)

    async def is_at_end(self, group: str, topic: TopicSpec) -> bool:
        """Whether the group has committed every partition of a topic to its present end."""
        partitions = _partitions(topic)
        if group not in self._coordinators:
            self._coordinators[group] = await self._admin.find_coordinator(group)
        committed = await self._admin.list_consumer_group_offsets(
            group, group_coordinator_id=self._coordinators[group], partitions=partitions
        )
        ends = await self._client.end_offsets(partitions)
        return all(max(committed[partition].offset, 0) >= end for partition, end in ends.items())


async def read_topic(bootstrap: str, topic: TopicSpec) -> list[ConsumerRecord]:
    """All that a topic holds at this moment, each partition's records in order."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, enable_auto_commit=False, max_partition_fetch_bytes=4 * 1024 * 1024
    )
    await consumer.start()
    try:
        partitions = _partitions(topic)
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        records: list[ConsumerRecord] = []
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            for share in (await consumer.getmany(timeout_ms=1000)).values():
                records.extend(share)
        return records
    finally:
        await consumer.stop()


def _partitions(topic: TopicSpec) -> list[TopicPartition]:
    return [TopicPartition(topic.name, number) for number in range(topic.partitions)]
