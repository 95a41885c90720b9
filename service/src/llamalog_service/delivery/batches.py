"""Batches, one recorded while the one before is told, their offsets committed last."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Generic, TypeVar

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from llamalog_service.delivery.alignment import AlignedBuffer
from llamalog_service.delivery.records import Records, first_offsets, next_offsets
from llamalog_service.delivery.starts import StartFinder
from llamalog_service.domain.errors import LlamalogError, UnavailableError
from llamalog_service.waiting import when_available

Stored = TypeVar("Stored")

_log = structlog.get_logger("llamalog.delivery")

_LONGEST_WAIT = 0.25
"""Seconds that records wait for a partition that does not get on."""


class BatchDelivery(ConsumerRebalanceListener, Generic[Stored]):  # type: ignore[misc]  # aiokafka has no types
    """Delivers batches in two steps: `record` stores one, `tell` tells others of it.

    The next batch is recorded while one is told. A batch's offsets are committed after both, in order;
    when either fails, everything from the first batch that is not committed on is fetched again, so both
    steps may see the same records again.

    Args:
        record: stores a batch.
        tell: says what `record` returned; never before the batch before was told.
        max_records: the largest batch.
        fail: told of an error after which the process must not go on.
        start: where partitions are read from; None: from the committed offsets.
        revoke_patience: seconds that a rebalance waits for what is in hand; then it is given up.
        commit_patience: seconds for a commit of offsets, which the client would try for ever.
    """

    def __init__(
        self,
        record: Callable[[Records], Coroutine[Any, Any, Stored]],
        tell: Callable[[Stored], Awaitable[None]],
        *,
        max_records: int,
        fail: Callable[[BaseException], None],
        start: StartFinder | None = None,
        revoke_patience: float = 20.0,
        commit_patience: float = 10.0,
    ) -> None:
        self._record = record
        self._tell = tell
        self._fail = fail
        self._start = start
        self._revoke_patience = revoke_patience
        self._commit_patience = commit_patience
        self._consumer: Callable[[], AIOKafkaConsumer | None] = lambda: None
        self._buffer = AlignedBuffer(max_records)
        self._in_hand = asyncio.Lock()
        self._uncommitted: list[Records] = []
        self._recording: asyncio.Task[Stored] | None = None
        self._telling: asyncio.Task[None] | None = None
        self._flush: asyncio.Task[None] | None = None
        self._placing: asyncio.Task[None] | None = None
        self._held: set[TopicPartition] = set()
        self._epoch = 0
        self._rebalancing = False
        self._closing = False

    def attach(self, consumer: Callable[[], AIOKafkaConsumer | None]) -> None:
        """Tell where the consumer is found once it runs."""
        self._consumer = consumer

    async def deliver(self, records: Records) -> None:
        """Take in fetched records, and work off what is ready."""
        if self._is_leaving():
            return
        self._buffer.add(records)  # before the wait: what is put back meanwhile takes these with it
        self._flush = None
        async with self._in_hand:
            while not self._is_leaving() and (batch := self._buffer.take(await self._unfinished())):
                await self._work_off(batch)
            self._hold_back()
            if self._buffer or self._telling is not None:
                self._flush = asyncio.create_task(self._flush_waiting())

    async def close(self) -> None:
        """Finish what is in hand and take in no more; what was only fetched comes again after a restart."""
        self._closing = True
        await self._finish()

    async def _flush_waiting(self) -> None:
        """Work off what waits for a partition that does not get on, and see the last batch told."""
        await asyncio.sleep(_LONGEST_WAIT)
        async with self._in_hand:
            if self._flush is not asyncio.current_task():
                return  # more was fetched meanwhile, which has a flush of its own
            while not self._is_leaving() and (batch := self._buffer.take(())):
                await self._work_off(batch)
            await self._told()
            self._hold_back()

    def _is_leaving(self) -> bool:
        return self._closing or self._rebalancing

    async def _work_off(self, batch: Records) -> None:
        """Record a batch, and have it told once the one before was told, while the next is recorded."""
        epoch = self._epoch
        self._uncommitted.append(batch)
        recording = self._recording = asyncio.create_task(self._record(batch))
        try:
            await asyncio.wait([recording])
        finally:
            recording.cancel()
        await self._told()
        if epoch == self._epoch:  # else the batch before was put back, and this one with it
            if self._is_done(recording):
                self._telling = asyncio.create_task(self._tell_and_commit(batch, recording.result()))
            else:
                self._put_back()

    async def _tell_and_commit(self, batch: Records, stored: Stored) -> None:
        await self._tell(stored)
        await self._commit(batch)
        self._uncommitted.pop(0)

    async def _told(self) -> None:
        """Wait until the batch before is told and committed; put it back if that failed."""
        telling = self._telling
        if telling is None:
            return
        await asyncio.wait([telling])
        self._telling = None  # not before: a rebalance out of patience has to find it, to cancel it
        if not self._is_done(telling):
            self._put_back()

    def _is_done(self, step: asyncio.Task[Any]) -> bool:
        """Whether a finished step did its work; if not, say why, and end the process where it must."""
        if step.cancelled():
            _log.warning("batch given up: its partitions go to another consumer")
            return False
        error = step.exception()
        if isinstance(error, UnavailableError):
            _log.warning("batch put back", reason=str(error))
        elif error is not None:
            self._fail(error)
        return error is None

    def _put_back(self) -> None:
        """Fetch again from the first record of each partition that is not committed."""
        self._epoch += 1
        firsts = self._buffer.clear() | first_offsets(self._uncommitted)
        self._uncommitted.clear()
        consumer = self._consumer()
        for partition, first in firsts.items():
            if consumer is not None and partition in consumer.assignment():
                consumer.seek(partition, first)

    async def _commit(self, batch: Records) -> None:
        """Commit explicit offsets; a failure costs a redelivery, not the batch."""
        consumer = self._consumer()
        if consumer is None:
            return
        try:
            await asyncio.wait_for(consumer.commit(next_offsets(batch)), self._commit_patience)
        except (KafkaError, TimeoutError) as error:
            _log.warning("offsets not committed; the batch may come again", reason=repr(error))

    async def _unfinished(self) -> list[TopicPartition]:
        """The partitions that have records beyond what was fetched, as far as the last fetch told."""
        consumer = self._consumer()
        if consumer is None:
            return []
        unfinished = []
        for partition in consumer.assignment() - consumer.paused():
            with suppress(IllegalStateError):  # another consumer's by now
                end = consumer.highwater(partition)
                if end is not None and await consumer.position(partition) < end:
                    unfinished.append(partition)
        return unfinished

    def _hold_back(self) -> None:
        """Fetch no more of a partition that is far ahead of the others."""
        consumer = self._consumer()
        if consumer is None:
            return
        full = self._buffer.full() & consumer.assignment()
        consumer.resume(*(self._held - full) & consumer.assignment())
        consumer.pause(*full)
        self._held = full

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Wait for what is in hand, at most the set time; after that it is given up and rolls back."""
        self._rebalancing = True
        if self._placing is not None:
            self._placing.cancel()
        try:
            async with asyncio.timeout(self._revoke_patience):
                await self._finish()
        except TimeoutError:
            for step in (self._recording, self._telling):
                if step is not None:
                    step.cancel()
            await self._finish()

    async def _finish(self) -> None:
        """Finish what is in hand, and forget what was only fetched: it comes again to whoever reads on."""
        async with self._in_hand:
            await self._told()
            self._epoch += 1
            self._buffer.clear()
            self._uncommitted.clear()
            self._held.clear()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Hold the new partitions until it is known where to begin."""
        self._rebalancing = False
        consumer = self._consumer()
        if self._start is not None and consumer is not None and assigned:
            consumer.pause(*assigned)
            self._placing = asyncio.create_task(self._place(consumer, assigned, self._start))

    async def _place(
        self, consumer: AIOKafkaConsumer, assigned: set[TopicPartition], start: StartFinder
    ) -> None:
        try:
            starts = await when_available(
                lambda: start.starts(consumer, assigned), doing="finding the positions to read from"
            )
            for partition, offset in starts.items():
                consumer.seek(partition, offset)
            _log.info("reading", offsets={f"{at.topic}/{at.partition}": starts[at] for at in sorted(starts)})
            consumer.resume(*assigned)
        except IllegalStateError:
            _log.info("partitions went to another consumer before they were read")
        except LlamalogError as error:
            self._fail(error)
