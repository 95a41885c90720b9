"""Records by partition."""

from collections.abc import Iterable, Sequence

from aiokafka import ConsumerRecord, TopicPartition

Records = Sequence[ConsumerRecord]


def first_offsets(batches: Iterable[Records]) -> dict[TopicPartition, int]:
    """The lowest offset of each partition in some batches."""
    firsts: dict[tuple[str, int], int] = {}
    for batch in batches:
        for record in batch:
            partition = (record.topic, record.partition)
            firsts[partition] = min(record.offset, firsts.get(partition, record.offset))
    return _by_partition(firsts)


def next_offsets(batch: Records) -> dict[TopicPartition, int]:
    """The offset after the last of each partition in a batch: what is committed when it is done."""
    lasts = {(record.topic, record.partition): record.offset for record in batch}  # each in order
    return _by_partition({partition: last + 1 for partition, last in lasts.items()})


def _by_partition(offsets: dict[tuple[str, int], int]) -> dict[TopicPartition, int]:
    """With the client's keys; making one for each record, rather than each partition, shows."""
    return {TopicPartition(*partition): offset for partition, offset in offsets.items()}
