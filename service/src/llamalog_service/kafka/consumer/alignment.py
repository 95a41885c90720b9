"""Read the partitions of a topic in step, by the time of their records.

A lineage mostly shares a partition, not always. A consumer that works off a backlog partition by partition
meets children long before their parents, which are in a partition not read yet, and every such child is
recorded without its root and repaired later. So records wait until every partition has been read up to
their time. It is a matter of speed alone: no rule depends on the order, and the wait is short.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Collection
from operator import itemgetter

from aiokafka import ConsumerRecord, TopicPartition

_Timed = tuple[int, ConsumerRecord]
"""A record with the latest time of its partition so far, so that times never fall within a partition."""

_time = itemgetter(0)


class AlignedBuffer:
    """Records that were fetched and not processed yet.

    Args:
        max_records: the largest batch that is taken at once; a partition is full with half as many waiting.
    """

    def __init__(self, max_records: int) -> None:
        self._max_records = max_records
        self._waiting: dict[TopicPartition, list[_Timed]] = {}
        self._last_time: dict[TopicPartition, int] = {}

    def add(self, records: Collection[ConsumerRecord]) -> None:
        """Buffer fetched records, each partition's in order."""
        by_partition: dict[tuple[str, int], list[ConsumerRecord]] = {}
        for record in records:
            by_partition.setdefault((record.topic, record.partition), []).append(record)
        for key, share in by_partition.items():
            partition = TopicPartition(*key)
            latest = self._last_time.get(partition, 0)
            waiting = self._waiting.setdefault(partition, [])
            for record in share:
                latest = max(latest, record.timestamp)
                waiting.append((latest, record))
            self._last_time[partition] = latest

    def take(self, unfinished: Collection[TopicPartition]) -> list[ConsumerRecord]:
        """The next batch in order of time, or nothing while a partition has to be read further first.

        Args:
            unfinished: the partitions that have records beyond what was fetched.
        """
        horizon = min((self._last_time.get(partition, -1) for partition in unfinished), default=None)
        ready = sorted(
            (timed for waiting in self._waiting.values() for timed in waiting[: _count(waiting, horizon)]),
            key=_time,
        )
        batch = [record for _, record in ready[: self._max_records]]
        for key, count in Counter((record.topic, record.partition) for record in batch).items():
            del self._waiting[TopicPartition(*key)][:count]
        return batch

    def full(self) -> set[TopicPartition]:
        """The partitions that have half a batch or more waiting."""
        return {
            partition for partition, waiting in self._waiting.items() if 2 * len(waiting) >= self._max_records
        }

    def clear(self) -> dict[TopicPartition, int]:
        """Drop everything; the first offset of each partition that was waiting."""
        firsts = {partition: waiting[0][1].offset for partition, waiting in self._waiting.items() if waiting}
        self._waiting.clear()
        self._last_time.clear()
        return firsts

    def __len__(self) -> int:
        return sum(len(waiting) for waiting in self._waiting.values())


def _count(waiting: list[_Timed], horizon: int | None) -> int:
    return len(waiting) if horizon is None else bisect_right(waiting, horizon, key=_time)
