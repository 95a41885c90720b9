"""Records by partition."""

from collections.abc import Iterable, Sequence

from aiokafka import ConsumerRecord, TopicPartition

Records = Sequence[ConsumerRecord]


def first_offsets(batches: Iterable[Records]) -> dict[TopicPartition, int]:
    """The lowest offset of each partition in some batches."""
    firsts: dict[TopicPartition, int] = {}
    for batch in batches:
        for record in batch:
            partition = TopicPartition(record.topic, record.partition)
            firsts[partition] = min(record.offset, firsts.get(partition, record.offset))
    return firsts


def next_offsets(batch: Records) -> dict[TopicPartition, int]:
    """The offset after the last of each partition in a batch: what is committed when it is done."""
    nexts: dict[TopicPartition, int] = {}
    for record in batch:
        partition = TopicPartition(record.topic, record.partition)
        nexts[partition] = max(record.offset + 1, nexts.get(partition, 0))
    return nexts
