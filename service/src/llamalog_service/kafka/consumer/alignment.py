"""Read the partitions of a topic in step, by the time of their records.

A lineage mostly shares a partition, not always. A consumer that works off a backlog partition by partition
meets children long before their parents, which are in a partition not read yet, and every such child is
recorded without its root and corrected later. So records wait until every partition has been read up to
their time. It is a matter of speed alone: no rule depends on the order, and the wait is short.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from itertools import accumulate, groupby
from operator import attrgetter, itemgetter
from typing import Final

from aiokafka import ConsumerRecord, TopicPartition

from llamalog_service.kafka.record_batches import cost_of

BATCH_COST: Final = 24 * 1024 * 1024
"""Bytes of memory that the records of a batch may take, decoded; a single record may exceed it."""

WAITING_COST: Final = 3 * BATCH_COST
"""The same of all records that wait, shared evenly by the partitions; they are not decoded yet."""

_Timed = tuple[int, int, ConsumerRecord]
"""A record with its cost, and with the latest time of its partition so far: within one no time falls."""

_time, _cost, _record = itemgetter(0), itemgetter(1), itemgetter(2)
_partition = attrgetter("topic", "partition")


class AlignedBuffer:
    """Records that were fetched and not processed yet, bounded in number and in memory.

    Args:
        max_records: the largest batch that is taken at once; a partition is full with half as many waiting.
    """

    def __init__(self, max_records: int) -> None:
        self._max_records = max_records
        self._divisor = 1
        self._waiting: dict[TopicPartition, list[_Timed]] = {}
        self._waiting_cost: defaultdict[TopicPartition, int] = defaultdict(int)
        self._last_time: dict[TopicPartition, int] = {}

    def shrink(self) -> None:
        """Halve the batches, down to single records: one was given up."""
        self._divisor = min(2 * self._divisor, self._max_records)

    def grow(self) -> None:
        """Double the batches, up to the largest: one was processed."""
        self._divisor = max(1, self._divisor // 2)

    @property
    def _most(self) -> int:
        """The records of a batch at present."""
        return max(1, self._max_records // self._divisor)

    def add(self, records: Collection[ConsumerRecord]) -> None:
        """Buffer fetched records, each partition's in order."""
        for key, share in groupby(records, _partition):  # a fetch has those of a partition together
            partition = TopicPartition(*key)
            latest = self._last_time.get(partition, 0)
            waiting = self._waiting.setdefault(partition, [])
            added = 0
            for record in share:
                latest = max(latest, record.timestamp)
                cost = cost_of(record)
                added += cost
                waiting.append((latest, cost, record))
            self._last_time[partition] = latest
            self._waiting_cost[partition] += added

    def take(
        self, unfinished: Collection[TopicPartition], *, only_full: bool = False
    ) -> list[ConsumerRecord]:
        """The next batch in order of time, or nothing while a partition has to be read further first.

        Args:
            unfinished: the partitions that have records beyond what was fetched.
            only_full: nothing, if what is ready is less than a batch may hold.
        """
        horizon = min((self._last_time.get(partition, -1) for partition in unfinished), default=None)
        ready = sorted(
            (timed for waiting in self._waiting.values() for timed in waiting[: _count(waiting, horizon)]),
            key=_time,
        )
        cut = self._cut(ready)
        if only_full and len(cut) == len(ready) < self._most:
            return []
        batch = list(map(_record, cut))
        for key, count in Counter(map(_partition, batch)).items():
            partition = TopicPartition(*key)
            waiting = self._waiting[partition]
            self._waiting_cost[partition] -= sum(map(_cost, waiting[:count]))
            del waiting[:count]
        return batch

    def _cut(self, ready: Sequence[_Timed]) -> Sequence[_Timed]:
        """As many as a batch may hold, at least one."""
        most = ready[: self._most]
        limit = BATCH_COST // self._divisor
        return most[: max(1, bisect_right(list(accumulate(map(_cost, most))), limit))]

    def full(self, partitions: int) -> set[TopicPartition]:
        """The partitions that have half a batch or more waiting, or more than their share of the memory.

        Args:
            partitions: the number of all that are assigned.
        """
        share = WAITING_COST // max(1, partitions)
        return {
            partition
            for partition, waiting in self._waiting.items()
            if 2 * len(waiting) >= self._max_records or self._waiting_cost[partition] >= share
        }

    def clear(self) -> dict[TopicPartition, int]:
        """Drop everything; the first offset of each partition that was waiting."""
        firsts = {
            partition: _record(waiting[0]).offset for partition, waiting in self._waiting.items() if waiting
        }
        self._waiting.clear()
        self._waiting_cost.clear()
        self._last_time.clear()
        return firsts

    def __len__(self) -> int:
        return sum(len(waiting) for waiting in self._waiting.values())


def _count(waiting: list[_Timed], horizon: int | None) -> int:
    return len(waiting) if horizon is None else bisect_right(waiting, horizon, key=_time)
