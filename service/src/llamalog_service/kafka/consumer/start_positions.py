"""Where to begin to read: at the lower of what Kafka and the database say is done."""

from collections.abc import Awaitable, Callable, Collection, Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from llamalog_service.domain.errors import PositionPastEndError, UnavailableError

StoredPositions = Callable[[], Awaitable[Mapping[int, int]]]


class StartOffsets:
    """Finds the offset at which each partition is to be read.

    Args:
        stored_positions: the next offsets recorded with the rows, by partition. A database that was
            restored from a backup is behind Kafka's committed offsets: it catches up by itself.
        knows_ends: whether the broker tells where partitions end.
    """

    def __init__(self, stored_positions: StoredPositions, *, knows_ends: bool) -> None:
        self._stored_positions = stored_positions
        self._knows_ends = knows_ends

    async def resolve(
        self, consumer: AIOKafkaConsumer, partitions: Collection[TopicPartition]
    ) -> dict[TopicPartition, int]:
        """The offset to start from, for each of these partitions of one topic.

        Raises:
            PositionPastEndError: the database has recorded more than the partition holds.
            UnavailableError: PostgreSQL or Kafka is away.
        """
        stored = await self._stored_positions()
        try:
            committed = {partition: await consumer.committed(partition) or 0 for partition in partitions}
            beginnings = await consumer.beginning_offsets(list(partitions))
            ends = await consumer.end_offsets(list(partitions)) if self._knows_ends else {}
        except KafkaError as error:
            raise UnavailableError(f"Kafka: {type(error).__name__}: {error}") from error
        starts = {}
        for partition in partitions:
            recorded = stored.get(partition.partition, 0)
            check_position(partition, recorded, ends.get(partition, recorded))
            starts[partition] = max(min(recorded, committed[partition]), beginnings[partition])
        return starts


def check_position(partition: TopicPartition, recorded: int, end: int) -> None:
    """Refuse a position past the end of its partition.

    Raises:
        PositionPastEndError: with what to do.
    """
    if recorded > end:
        raise PositionPastEndError(
            f"{partition.topic}, partition {partition.partition}: the database has recorded up to offset "
            f"{recorded}, the partition ends at {end}. The topic was probably deleted and created again. "
            "Restore the topic, or, if its loss is accepted, delete the rows of this topic from "
            "consumer_positions and start again: rows are kept, the new topic is read from its start."
        )
