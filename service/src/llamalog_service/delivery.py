"""At-least-once delivery of batches from Kafka: one at a time, committed after its work, never past it.

FastStream polls and hands batches over raw; what it would do about acknowledgement is switched off
(`AckPolicy.MANUAL`), because a commit without explicit offsets would pass records that are not done.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError
from faststream.kafka.message import FAKE_CONSUMER, KafkaMessage

from llamalog_service.domain.errors import LlamalogError, PositionPastEndError, UnavailableError
from llamalog_service.waiting import when_available

Records = Sequence[ConsumerRecord]
StoredPositions = Callable[[], Awaitable[Mapping[int, int]]]

_log = structlog.get_logger("llamalog.delivery")


class BatchDelivery(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Delivers batches to a handler and commits their offsets when it returns.

    Args:
        handle: does all the work of a batch; it may be called again with the same records.
        fail: told of an error after which the process must not go on.
        stored_positions: the positions that the handler's own database has recorded, by partition; a
            partition is read from the lower of that and the committed offset. None: from the committed.
        knows_ends: whether the broker tells where partitions end.
        revoke_patience: seconds that a rebalance waits for the batch in hand; then it is rolled back.
        commit_patience: seconds for a commit of offsets, which the client would try for ever.
    """

    def __init__(
        self,
        handle: Callable[[Records], Awaitable[None]],
        *,
        fail: Callable[[BaseException], None],
        stored_positions: StoredPositions | None,
        knows_ends: bool,
        revoke_patience: float,
        commit_patience: float,
    ) -> None:
        self._handle = handle
        self._fail = fail
        self._stored_positions = stored_positions
        self._knows_ends = knows_ends
        self._revoke_patience = revoke_patience
        self._commit_patience = commit_patience
        self._consumer: Callable[[], AIOKafkaConsumer | None] = lambda: None
        self._in_hand = asyncio.Lock()
        self._deadline: asyncio.Timeout | None = None
        self._placing: asyncio.Task[None] | None = None

    def attach(self, consumer: Callable[[], AIOKafkaConsumer | None]) -> None:
        """Tell where the consumer is found once it runs."""
        self._consumer = consumer

    async def deliver(self, records: Records) -> None:
        """Have a batch handled, then commit; on any failure go back to where it began."""
        async with self._in_hand:
            try:
                async with asyncio.timeout(None) as self._deadline:
                    await self._handle(records)
            except UnavailableError as away:
                _log.warning("batch put back", records=len(records), reason=str(away))
                self._seek_back(records)
            except TimeoutError:
                _log.warning("batch rolled back: its partitions go to another consumer", records=len(records))
                self._seek_back(records)
            except Exception as error:
                self._fail(error)
                raise
            else:
                await self._commit(records)
            finally:
                self._deadline = None

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Wait for the batch in hand, at most the set time; after that it rolls back."""
        if self._placing is not None:
            self._placing.cancel()
        if self._deadline is not None:
            self._deadline.reschedule(asyncio.get_running_loop().time() + self._revoke_patience)
        async with self._in_hand:
            pass

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Hold the new partitions until it is known where to begin."""
        consumer = self._consumer()
        if self._stored_positions is None or consumer is None or not assigned:
            return
        consumer.pause(*assigned)
        self._placing = asyncio.create_task(self._place(consumer, assigned, self._stored_positions))

    async def _place(
        self,
        consumer: AIOKafkaConsumer,
        assigned: set[TopicPartition],
        stored_positions: StoredPositions,
    ) -> None:
        try:
            starts = await when_available(
                lambda: self._starts(consumer, assigned, stored_positions),
                doing="finding the positions to read from",
            )
            for partition, offset in starts.items():
                consumer.seek(partition, offset)
            _log.info("reading", offsets={f"{at.topic}/{at.partition}": starts[at] for at in sorted(starts)})
            consumer.resume(*assigned)
        except IllegalStateError:
            _log.info("partitions went to another consumer before they were read")
        except LlamalogError as error:
            self._fail(error)

    async def _starts(
        self,
        consumer: AIOKafkaConsumer,
        assigned: set[TopicPartition],
        stored_positions: StoredPositions,
    ) -> dict[TopicPartition, int]:
        stored = await stored_positions()
        try:
            committed = {partition: await consumer.committed(partition) or 0 for partition in assigned}
            beginnings = await consumer.beginning_offsets(list(assigned))
            ends = await consumer.end_offsets(list(assigned)) if self._knows_ends else {}
        except KafkaError as error:
            raise UnavailableError(f"Kafka: {type(error).__name__}: {error}") from error
        starts = {}
        for partition in assigned:
            recorded = stored.get(partition.partition, 0)
            check_position(partition, recorded, ends.get(partition, recorded))
            starts[partition] = max(min(recorded, committed[partition]), beginnings[partition])
        return starts

    async def _commit(self, records: Records) -> None:
        """Commit explicit offsets; a failure costs a redelivery, not the batch."""
        consumer = self._consumer()
        if consumer is None:
            return
        offsets = {partition: last + 1 for partition, last in _ends(records, max).items()}
        try:
            await asyncio.wait_for(consumer.commit(offsets), self._commit_patience)
        except (KafkaError, TimeoutError) as error:
            _log.warning("offsets not committed; the batch may come again", reason=repr(error))

    def _seek_back(self, records: Records) -> None:
        consumer = self._consumer()
        for partition, first in _ends(records, min).items():
            if consumer is not None and partition in consumer.assignment():
                consumer.seek(partition, first)


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


def _ends(records: Records, choose: Callable[[int, int], int]) -> dict[TopicPartition, int]:
    ends: dict[TopicPartition, int] = {}
    for record in records:
        partition = TopicPartition(record.topic, record.partition)
        ends[partition] = choose(ends.get(partition, record.offset), record.offset)
    return ends


async def raw_batch(records: tuple[ConsumerRecord, ...]) -> KafkaMessage:
    """FastStream's parser for a batch that must not fail as a whole for one bad header."""
    return KafkaMessage(body=b"", raw_message=records, consumer=FAKE_CONSUMER)


async def raw_records(message: KafkaMessage) -> Any:
    """FastStream's decoder: the records as they came."""
    return message.raw_message
