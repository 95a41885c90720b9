"""Between FastStream and the pipeline: which records, from where, and when their offsets are committed."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from llamalog_service.domain.errors import TopicGoneError, UnavailableError
from llamalog_service.kafka.consumer.alignment import AlignedBuffer
from llamalog_service.kafka.consumer.pipeline import Pipeline, Steps
from llamalog_service.kafka.consumer.progress import EndsOf, Progress, Reading, read_progress
from llamalog_service.kafka.consumer.records import Records, first_offsets, next_offsets
from llamalog_service.kafka.consumer.start_positions import StartOffsets
from llamalog_service.retry import retry_until_available
from llamalog_service.telemetry.metrics import NULL_METRICS, Metrics

_log = structlog.get_logger("llamalog.delivery")

_LONGEST_WAIT = 0.25
"""Seconds that records wait for a partition that does not get on."""


class BatchDelivery(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Delivers what FastStream fetched, in batches aligned by time, through the steps of a pipeline.

    Args:
        steps: what is done with a batch; its offsets are committed after the last of them.
        max_records: the largest batch.
        fail: told of an error after which the process must not go on.
        start: where partitions are read from; None: from the committed offsets.
        revoke_timeout: seconds that a rebalance waits for what is under way; then it is given up.
        close_timeout: the same for the end of the process, which others wait for less patiently.
        commit_timeout: seconds for a commit of offsets, which the client would try for ever.
        metrics: told the size of each batch and how long its steps took.

    Attributes:
        progress: how far it is, to be looked at.
    """

    def __init__(
        self,
        steps: Steps[Any, Any],
        *,
        max_records: int,
        fail: Callable[[BaseException], None],
        start: StartOffsets | None = None,
        revoke_timeout: float = 20.0,
        close_timeout: float = 5.0,
        commit_timeout: float = 10.0,
        metrics: Metrics = NULL_METRICS,
    ) -> None:
        self.progress = Progress()
        self._pipeline = Pipeline(
            steps, commit=self._commit, requeue=self._requeue, fail=fail, metrics=metrics
        )
        self._buffer = AlignedBuffer(max_records)
        self._fail = fail
        self._start = start
        self._revoke_timeout = revoke_timeout
        self._close_timeout = close_timeout
        self._commit_timeout = commit_timeout
        self._consumer: Callable[[], AIOKafkaConsumer | None] = lambda: None
        self._delivering = asyncio.Lock()
        self._flush: asyncio.Task[None] | None = None
        self._placing: asyncio.Task[None] | None = None
        self._held: set[TopicPartition] = set()
        self._rebalancing = False
        self._closing = False

    def attach(self, consumer: Callable[[], AIOKafkaConsumer | None]) -> None:
        """Tell where the consumer is found once it runs."""
        self._consumer = consumer

    async def deliver(self, records: Records) -> None:
        """Take in fetched records, and hand on what is ready."""
        if self._is_leaving():
            return
        self._buffer.add(records)  # before the wait: what is put back meanwhile takes these with it
        self._flush = None
        try:
            async with self._delivering:
                while not self._is_leaving() and (batch := self._buffer.take(await self._unfinished())):
                    await self._pipeline.push(batch)
                self._hold_back()
                if self._buffer:
                    self._flush = asyncio.create_task(self._flush_waiting())
        except Exception as error:  # FastStream would log it and poll on, past these records
            self._fail(error)

    def has_in_flight(self) -> bool:
        """Whether something was fetched whose offsets are not committed yet."""
        return bool(self._buffer) or self._pipeline.in_flight > 0

    async def read_progress(self, ends_of: EndsOf) -> Reading:
        """How much is left of the partitions that this consumer has.

        Raises:
            UnavailableError: Kafka does not tell.
        """
        consumer = self._consumer()
        if consumer is None:
            await ends_of(())
            return Reading({}, is_behind=False)
        return await read_progress(consumer, self.progress, ends_of)

    async def close(self) -> None:
        """Finish what is in hand and take in no more; what is not done then comes again after a restart."""
        self._closing = True
        await self._drain_or_cancel(self._close_timeout)

    async def _flush_waiting(self) -> None:
        """Work off what waits for a partition that does not get on."""
        await asyncio.sleep(_LONGEST_WAIT)
        async with self._delivering:
            if self._flush is not asyncio.current_task():
                return  # more was fetched meanwhile, which has a flush of its own
            while not self._is_leaving() and (batch := self._buffer.take(())):
                await self._pipeline.push(batch)
            self._hold_back()

    def _is_leaving(self) -> bool:
        return self._closing or self._rebalancing

    def _requeue(self, batches: Sequence[Records]) -> None:
        """Fetch again from the first record of each partition that is not committed."""
        consumer = self._consumer()
        for partition, first in (self._buffer.clear() | first_offsets(batches)).items():
            if consumer is not None and partition in consumer.assignment():
                consumer.seek(partition, first)

    async def _commit(self, batch: Records) -> None:
        """Commit explicit offsets; a refusal, as in a rebalance, costs a redelivery, not the batch.

        Raises:
            UnavailableError: Kafka is away; without a commit a partition that stays quiet would lag for ever.
        """
        consumer = self._consumer()
        if consumer is None:
            return
        offsets = next_offsets(batch)
        try:
            async with asyncio.timeout(self._commit_timeout):
                await consumer.commit(offsets)
            self.progress.commits += 1
            self.progress.committed.update(offsets)
        except TimeoutError:
            raise UnavailableError(f"Kafka took no offsets for {self._commit_timeout:.0f} s") from None
        except KafkaError as error:
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
        """Leave nothing under way that could be done after another consumer has begun to read on."""
        self._rebalancing = True
        self.progress.is_joined = False
        if self._placing is not None:
            self._placing.cancel()
        await self._drain_or_cancel(self._revoke_timeout)

    async def _drain_or_cancel(self, timeout: float) -> None:
        """Wait for what is in hand, at most the set time; after that it is given up and rolls back."""
        try:
            async with asyncio.timeout(timeout):
                await self._finish()
        except TimeoutError:
            self._pipeline.cancel()
            await self._finish()

    async def _finish(self) -> None:
        """Finish what is under way, and forget what was only fetched: it comes again to whoever reads on."""
        async with self._delivering:
            await self._pipeline.drain()
            self._pipeline.forget()
            self._buffer.clear()
            self._held.clear()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Hold the new partitions until it is known where to begin."""
        self._rebalancing = False
        self.progress.is_joined = True
        self.progress.committed.clear()
        consumer = self._consumer()
        if consumer is None:
            return
        if not assigned:
            self._end_without_topic(consumer)
        elif self._start is not None:
            consumer.pause(*assigned)
            self._placing = asyncio.create_task(self._place(consumer, assigned, self._start))

    def _end_without_topic(self, consumer: AIOKafkaConsumer) -> None:
        """End when there is nothing to read because the topic is gone, not because others read it.

        Created again it is another topic, whose partitions the client would wait for for minutes.
        """
        gone = [topic for topic in consumer.subscription() if not consumer.partitions_for_topic(topic)]
        if gone:
            self._fail(
                TopicGoneError(
                    f"{', '.join(gone)}: the topic is not there any more. Everything recorded stays. "
                    "This process ends; the next start says what is missing and what to do."
                )
            )

    async def _place(
        self, consumer: AIOKafkaConsumer, assigned: set[TopicPartition], start: StartOffsets
    ) -> None:
        try:
            starts = await retry_until_available(
                lambda: start.resolve(consumer, assigned), doing="finding the positions to read from"
            )
            for partition, offset in starts.items():
                consumer.seek(partition, offset)
            _log.info("reading", offsets={f"{at.topic}/{at.partition}": starts[at] for at in sorted(starts)})
            consumer.resume(*assigned)
        except IllegalStateError:
            _log.info("partitions went to another consumer before they were read")
        except Exception as error:
            self._fail(error)
