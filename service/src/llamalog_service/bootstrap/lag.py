"""How far the consumers are behind their topics."""

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError

from llamalog_service.kafka.clients import open_reader
from llamalog_service.kafka.offsets import Offsets, committed_offsets, end_offsets, partitions_of
from llamalog_service.settings import Settings


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
