"""Read the partitions of a topic in step, by the time of their records.

A lineage mostly shares a partition, not always. A consumer that works off a backlog partition by partition
meets children long before their parents, which are in a partition not read yet, and every such child is
recorded without its root and repaired later. So records wait until every partition has been read up to
their time. It is a matter of speed alone: no rule depends on the order, and the wait is short.
"""

from bisect import bisect_right
from collections.abc import Collection
from operator import itemgetter
from typing import NamedTuple

from aiokafka import ConsumerRecord, TopicPartition


class _Timed(NamedTuple):
    """A record with the latest time of its partition so far, so that times never fall within a partition."""

    time: int
    record: ConsumerRecord


_time = itemgetter(0)


class AlignedBuffer:
    """Records that were fetched and not handed out yet.

    Args:
        max_records: the most that is handed out at once; a partition is full at twice as many.
    """

    def __init__(self, max_records: int) -> None:
        self._max_records = max_records
        self._waiting: dict[TopicPartition, list[_Timed]] = {}
        self._last_time: dict[TopicPartition, int] = {}

    def add(self, records: Collection[ConsumerRecord]) -> None:
        """Take in fetched records, each partition's in order."""
        for record in records:
            partition = TopicPartition(record.topic, record.partition)
            time = max(record.timestamp, self._last_time.get(partition, 0))
            self._last_time[partition] = time
            self._waiting.setdefault(partition, []).append(_Timed(time, record))

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
        batch = [timed.record for timed in ready[: self._max_records]]
        taken: dict[TopicPartition, int] = {}
        for record in batch:
            partition = TopicPartition(record.topic, record.partition)
            taken[partition] = taken.get(partition, 0) + 1
        for partition, count in taken.items():
            del self._waiting[partition][:count]
        return batch

    def full(self) -> set[TopicPartition]:
        """The partitions of which enough is waiting."""
        return {
            partition for partition, waiting in self._waiting.items() if len(waiting) >= 2 * self._max_records
        }

    def clear(self) -> dict[TopicPartition, int]:
        """Forget everything; the first offset of each partition that was waiting."""
        firsts = {
            partition: waiting[0].record.offset for partition, waiting in self._waiting.items() if waiting
        }
        self._waiting.clear()
        self._last_time.clear()
        return firsts

    def __len__(self) -> int:
        return sum(len(waiting) for waiting in self._waiting.values())


def _count(waiting: list[_Timed], horizon: int | None) -> int:
    return len(waiting) if horizon is None else bisect_right(waiting, horizon, key=_time)
