"""`ProvenanceConsumer`: an async iterator over the updates of the log."""

import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from itertools import pairwise
from types import TracebackType
from typing import Any, NamedTuple, Self

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import ConsumerStoppedError, KafkaError

from llamalog_schemas.consumer.skipped import SkippedRecords, known_positions
from llamalog_schemas.consumer.starts import Assignments, Committed, Partitions, Start
from llamalog_schemas.consumer.updates import (
    DEFAULT_TOPIC,
    FETCH_MAX_BYTES,
    PARTITION_FETCH_BYTES,
    Change,
    Deduplicator,
    KafkaUnavailableError,
    NoGroupError,
    RevisionStore,
    UnreadableRecord,
    portions,
)

_logger = logging.getLogger("llamalog_schemas.consumer")

_POLL_MILLISECONDS = 1000
_METADATA_MILLISECONDS = 20_000
"""After so long the partitions of the topic are looked at again: it may have got more."""
_OWN_OPTIONS = {"group_id", "enable_auto_commit", "auto_offset_reset", "isolation_level"}


class _Portion(NamedTuple):
    """Consecutive records of a partition, and the position after them."""

    partition: TopicPartition
    records: Sequence[ConsumerRecord]
    end: int


class ProvenanceConsumer(AsyncIterator[Change]):
    """Returns each update of a row once, and a `Removed` for each row that was removed from the log.

    ``async with`` starts and stops it; ``async for`` runs until `stop` is called. `commit` marks everything
    returned as processed. Between two commits nothing is committed; after one, while nothing new comes, the
    consumer commits its position past records without an update: duplicates, records of aborted
    transactions, and the markers of transactions.

    Args:
        kafka: bootstrap servers, ``host:port``, comma-separated.
        group: the consumer group, which assigns the partitions and stores committed offsets. None: this
            consumer reads all partitions from the positions of `start`.
        topic: of provenance records.
        start: the first positions.
        revisions: the processed ones; None: a `RevisionCache`.
        on_unreadable: called with each record that is no provenance record.
        max_records: the most records of one fetch.
        **client: other options of `AIOKafkaConsumer`, such as ``security_protocol``.

    Raises:
        ValueError: the arguments contradict each other; the sentence says what to do.
    """

    def __init__(
        self,
        kafka: str,
        *,
        group: str | None,
        topic: str = DEFAULT_TOPIC,
        start: Start | None = None,
        revisions: RevisionStore | None = None,
        on_unreadable: Callable[[UnreadableRecord], object] | None = None,
        max_records: int = 500,
        **client: Any,
    ) -> None:
        _check_arguments(group, start, client)
        self._kafka = kafka
        self._group = group
        self._topic = topic
        self._max_records = max_records
        self._deduplicator = Deduplicator(revisions, on_unreadable)
        self._reader = AIOKafkaConsumer(
            bootstrap_servers=kafka,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            **{
                "fetch_max_bytes": FETCH_MAX_BYTES,
                "max_partition_fetch_bytes": PARTITION_FETCH_BYTES,
                "metadata_max_age_ms": _METADATA_MILLISECONDS,
                **client,
            },
        )
        self._assignments = Assignments(
            lambda: self._reader, Committed() if start is None else start, self._forget
        )
        self._fetched: deque[_Portion] = deque()
        self._ready: deque[Change] = deque()
        self._reached: dict[TopicPartition, int] = {}
        self._skipped = SkippedRecords()
        self._unprocessed = False
        self._epoch = 0
        self._stopped = False

    async def start(self) -> None:
        """Connect.

        Raises:
            KafkaUnavailableError: Kafka does not answer.
            Exception: any error of `start`, where there is no group.
        """
        try:
            await self._reader.start()
            if self._group is not None:
                self._reader.subscribe([self._topic], listener=self._assignments)
            else:
                await self._assign_all_partitions()
        except BaseException as error:
            await self.stop()
            if isinstance(error, KafkaError):
                raise KafkaUnavailableError(
                    f"Kafka at {self._kafka}: {type(error).__name__}: {error}"
                ) from error
            raise

    async def stop(self) -> None:
        """Leave the group without a commit; the iteration ends."""
        self._stopped = True
        self._fetched.clear()
        self._ready.clear()
        self._assignments.stop()
        await self._reader.stop()

    async def commit(self) -> bool:
        """Commit the offsets after everything that was returned.

        Returns:
            Whether Kafka accepted them. If not (a rebalance, an outage), the updates may come again, also to
            another member of the group.

        Raises:
            NoGroupError: the consumer has no group.
        """
        if self._group is None:
            raise NoGroupError("a consumer without a group can't commit: give it one, or store `update.next`")
        returned, self._unprocessed = self._unprocessed, False
        accepted = await self._commit(self._reached)
        self._unprocessed |= returned and not accepted
        return accepted

    async def __anext__(self) -> Change:
        while not self._ready:
            if self._stopped:
                raise StopAsyncIteration
            try:
                await self._fetch()
            except ConsumerStoppedError:
                raise StopAsyncIteration from None
        change = self._ready.popleft()
        self._reached[TopicPartition(self._topic, change.next.partition)] = change.next.offset
        self._unprocessed = True
        self._deduplicator.note(change)
        return change

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def _fetch(self) -> None:
        """Decode the next portion; fetch where there is none. After an error the same portion comes again."""
        if not self._fetched:
            found = await self._fetch_portions()
            self._fetched.extend(found)  # not before: a rebalance meanwhile makes it another deque
        if self._fetched:
            portion, epoch = self._fetched[0], self._epoch
            changes = await self._deduplicator.updates(portion.records, portion.end)
            if epoch != self._epoch:
                return  # a rebalance: the new owner reads again from the committed offsets
            self._fetched.popleft()
            self._reached[portion.partition] = portion.records[0].offset if changes else portion.end
            self._ready.extend(changes)
        if self._group is not None and not self._fetched and not self._ready:
            await self._commit_skipped(await known_positions(self._reader))

    async def _fetch_portions(self) -> list[_Portion]:
        if self._group is None:
            await self._assign_new_partitions()
        fetched = await self._reader.getmany(timeout_ms=_POLL_MILLISECONDS, max_records=self._max_records)
        epoch = self._epoch
        positions = await known_positions(self._reader)
        if epoch != self._epoch:
            return []
        found = []
        for partition, records in fetched.items():
            split = list(portions(records))
            found += [_Portion(partition, one, following[0].offset) for one, following in pairwise(split)]
            end = positions.get(partition, records[-1].offset + 1)
            found.append(_Portion(partition, split[-1], end))
        return found

    async def _commit_skipped(self, positions: Mapping[TopicPartition, int]) -> None:
        """Let the offsets pass records that are no updates; at once, if nothing is unprocessed."""
        skipped = await self._skipped.ahead(self._reader, positions)
        for partition, end in skipped.items():
            self._reached[partition] = max(end, self._reached.get(partition, 0))
        if not self._unprocessed:
            await self._commit(skipped)

    async def _commit(self, offsets: Mapping[TopicPartition, int]) -> bool:
        if not offsets:
            return True
        offsets = dict(offsets)
        if not await self._skipped.commit(self._reader, offsets):
            return False
        for partition, offset in offsets.items():
            if self._reached.get(partition) == offset:
                del self._reached[partition]
        return True

    def _forget(self, revoked: Partitions) -> None:
        self._epoch += 1
        gone = {at.partition for at in revoked}
        self._fetched = deque(portion for portion in self._fetched if portion.partition not in revoked)
        self._ready = deque(change for change in self._ready if change.next.partition not in gone)
        for partition in revoked:
            self._reached.pop(partition, None)
        self._skipped.forget(revoked)

    async def _assign_all_partitions(self) -> None:
        self._assign([TopicPartition(self._topic, 0)])
        await self._reader.beginning_offsets(self._reader.assignment())  # fetches the metadata
        numbers = self._reader.partitions_for_topic(self._topic) or {0}
        partitions = [TopicPartition(self._topic, number) for number in sorted(numbers)]
        self._assign(partitions)
        await self._assignments.begin(partitions)

    async def _assign_new_partitions(self) -> None:
        """Read the partitions that the topic has got since the start, from their beginning."""
        known = self._reader.assignment()
        numbers = self._reader.partitions_for_topic(self._topic) or set()
        partitions = known | {TopicPartition(self._topic, number) for number in numbers}
        if partitions == known:
            return
        positions = await known_positions(self._reader)
        if positions.keys() == known:
            self._assign(sorted(partitions))
            for partition, position in positions.items():
                self._reader.seek(partition, position)
            self._reader.resume(*partitions)

    def _assign(self, partitions: list[TopicPartition]) -> None:
        """Assign partitions, paused, at offset 0: without a position the client would not stop."""
        self._reader.assign(partitions)
        self._reader.pause(*partitions)
        for partition in partitions:
            self._reader.seek(partition, 0)


def _check_arguments(group: str | None, start: Start | None, client: Mapping[str, Any]) -> None:
    if group == "":
        raise ValueError("the group has no name: give it one, or group=None to read without a group")
    if group is None and isinstance(start, Committed):
        raise ValueError(
            "start=Committed(…) begins at the offsets that a group has committed, and there is no group: "
            "give `group`, or start at Beginning(), AtTime(…) or Stored(…)"
        )
    own = sorted(_OWN_OPTIONS & client.keys())
    if own:
        raise ValueError(
            f"{', '.join(own)}: not an option here; the consumer reads committed records and commits when "
            "`commit` is called. Give `group` and `start` instead"
        )
