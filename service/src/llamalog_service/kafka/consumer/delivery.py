"""At-least-once delivery of batches: which records, from where, and when their offsets are committed.

FastStream polls and hands batches over unparsed; its own acknowledgement is off (`AckPolicy.MANUAL`), because
a commit without explicit offsets would pass records that are not processed.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import FAKE_CONSUMER, KafkaMessage

from llamalog_service.domain.errors import TopicGoneError, UnavailableError
from llamalog_service.kafka.clients import FETCH_MAX_BYTES, ISOLATION, PARTITION_FETCH_BYTES
from llamalog_service.kafka.consumer.alignment import AlignedBuffer
from llamalog_service.kafka.consumer.pipeline import (
    STEP_TIMEOUT,
    Pipeline,
    Records,
    Steps,
    first_offsets,
    next_offsets,
)
from llamalog_service.kafka.consumer.positions import (
    EndOffsets,
    Lag,
    LossWatch,
    Progress,
    StartOffsets,
    passed_offsets,
    read_lag_of,
    readable_end,
)
from llamalog_service.kafka.record_batches import Budget, read_within_bounds
from llamalog_service.retry import retry_until_available
from llamalog_service.telemetry.metrics import NULL_METRICS, Metrics

_log = structlog.get_logger("llamalog.delivery")

_MAX_WAIT = 0.25
"""Seconds that records wait for a partition that does not progress."""

_REBALANCE_MILLISECONDS = 40_000
POLL_SECONDS = 0.1
"""How long a poll waits for records, unless a delivery has another."""
_FETCHED_BYTES = 4 * 1024 * 1024
"""Decompressed, that one poll may return; a record more than that."""


class BatchDelivery(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Delivers fetched records, in batches aligned by time, through the steps of a pipeline.

    Args:
        steps: the processing of a batch; its offsets are committed after the last of them.
        max_records: the largest batch, and the largest fetch; both are bounded in bytes as well.
        fail: called with an error after which the process must end.
        start: resolves where partitions are read from; None: from the committed offsets.
        step_timeout: seconds that a step is retried before its batches are requeued.
        revoke_timeout: seconds that a rebalance waits for batches in flight; then they are cancelled.
        close_timeout: the same at the end of the process.
        commit_timeout: seconds for a commit of offsets, which the client would retry for ever.
        metrics: observes the size of each batch and the duration of its steps.
        poll_seconds: how long a poll, and Kafka, waits for records.

    Attributes:
        progress: counters for a monitor.
    """

    def __init__(
        self,
        steps: Steps[Any, Any],
        *,
        max_records: int,
        fail: Callable[[BaseException], None],
        start: StartOffsets | None = None,
        step_timeout: float = STEP_TIMEOUT,
        revoke_timeout: float = 20.0,
        close_timeout: float = 5.0,
        commit_timeout: float = 10.0,
        metrics: Metrics = NULL_METRICS,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self.progress = Progress()
        self.max_records = max_records
        self.poll_milliseconds = round(poll_seconds * 1000)
        self._pipeline = Pipeline(
            steps,
            commit=self._commit,
            requeue=self._requeue,
            fail=fail,
            step_timeout=step_timeout,
            metrics=metrics,
        )
        self._buffer = AlignedBuffer(max_records)
        self._losses = LossWatch(metrics)
        self._fail = fail
        self._start = start
        self._revoke_timeout = revoke_timeout
        self._close_timeout = close_timeout
        self._commit_timeout = commit_timeout
        self._consumer: Callable[[], AIOKafkaConsumer | None] = lambda: None
        self._delivering = asyncio.Lock()
        self._flush: asyncio.Task[None] | None = None
        self._seeking: asyncio.Task[None] | None = None
        self._paused: set[TopicPartition] = set()
        self._known_committed: dict[TopicPartition, int] = {}
        self._rebalancing = False
        self._closing = False

    def attach(self, consumer: Callable[[], AIOKafkaConsumer | None]) -> None:
        """Set where the consumer is found once it runs."""
        self._consumer = consumer

    async def deliver(self, records: Records) -> None:
        """Buffer fetched records, and push what is ready through the pipeline."""
        if self._is_leaving():
            return
        self._buffer.add(records)  # before the wait: a requeue meanwhile has to include these
        self._flush = None
        try:
            async with self._delivering:
                while not self._is_leaving() and (batch := await self._next_batch()):
                    await self._pipeline.push(batch)
                self._pause_full_partitions()
                if self._buffer:
                    self._flush = asyncio.create_task(self._flush_waiting())
        except Exception as error:  # FastStream would log it and poll on, past these records
            self._fail(error)

    async def _next_batch(self) -> Records:
        """The next batch: less than it may hold only if it need not wait, or if nothing is to follow.

        Half a batch costs PostgreSQL and Kafka nearly as many requests as a whole one.
        """
        unfinished = await self._unfinished()
        return self._buffer.take(unfinished, only_full=bool(unfinished) and self._pipeline.is_recording)

    async def poll(self, consumer: AIOKafkaConsumer) -> tuple[ConsumerRecord, ...]:
        """Some of the records that there are, of partitions that are not full; none if none came for a while.

        Paused partitions are not polled: aiokafka would drop what it has fetched of them.
        """
        await self._commit_passed(consumer)
        self.progress.polls += 1
        assigned = consumer.assignment()
        readable = assigned - consumer.paused()
        if assigned and not readable:
            await asyncio.sleep(POLL_SECONDS)
            return ()
        with Budget(_FETCHED_BYTES):
            fetched = await consumer.getmany(
                *readable, timeout_ms=self.poll_milliseconds, max_records=self.max_records
            )
        await self._losses.check(consumer, fetched)
        return tuple(chain.from_iterable(fetched.values()))

    async def _commit_passed(self, consumer: AIOKafkaConsumer) -> None:
        """Commit positions past messages that are not delivered; the next call retries a failure.

        Without it a partition that ends with the marker of a transaction would lag for as long as nothing
        follows. Between two fetches nothing is on its way to `deliver`.
        """
        if self._is_leaving() or self.has_in_flight():
            return
        with suppress(KafkaError, TimeoutError):
            async with asyncio.timeout(self._commit_timeout):
                if passed := await passed_offsets(consumer, self._known_committed):
                    await consumer.commit(passed)
                    self._note_committed(passed)

    def has_in_flight(self) -> bool:
        """Whether records were fetched whose offsets are not committed yet."""
        return bool(self._buffer) or self._pipeline.in_flight > 0

    async def read_lag(self, end_offsets: EndOffsets) -> Lag:
        """Read the rest of the partitions that are assigned to this consumer.

        Raises:
            UnavailableError: Kafka does not answer.
        """
        consumer = self._consumer()
        if consumer is None:
            await end_offsets(())
            return Lag({}, is_behind=False)
        return await read_lag_of(consumer, self.progress, end_offsets)

    async def close(self) -> None:
        """Finish the batches in flight, and accept no more; a restart reads again what is not committed."""
        self._closing = True
        await self._drain_or_cancel(self._close_timeout)

    async def _flush_waiting(self) -> None:
        """Push what is ready once nothing is recorded, later what waits for a partition without progress."""
        await self._pipeline.wait_until_recorded()
        await self._push_unless_more_came(aligned=True)
        await asyncio.sleep(_MAX_WAIT)
        await self._push_unless_more_came(aligned=False)

    async def _push_unless_more_came(self, *, aligned: bool) -> None:
        async with self._delivering:
            if self._flush is not asyncio.current_task():
                return  # more was fetched meanwhile, which scheduled a flush of its own
            while not self._is_leaving() and (
                batch := self._buffer.take(await self._unfinished() if aligned else ())
            ):
                await self._pipeline.push(batch)
            self._pause_full_partitions()

    def _is_leaving(self) -> bool:
        return self._closing or self._rebalancing

    def _requeue(self, batches: Sequence[Records]) -> None:
        """Fetch again from the first record of each partition that is not committed, in smaller batches."""
        self._buffer.shrink()
        consumer = self._consumer()
        for partition, first in (self._buffer.clear() | first_offsets(batches)).items():
            if consumer is not None and partition in consumer.assignment():
                consumer.seek(partition, first)
                self._losses.expect({partition: first})

    async def _commit(self, batch: Records) -> None:
        """Commit explicit offsets; a refusal, as in a rebalance, costs a redelivery, not the batch.

        Raises:
            UnavailableError: Kafka is unavailable; without a commit a quiet partition would lag for ever.
        """
        consumer = self._consumer()
        if consumer is None:
            return
        offsets = next_offsets(batch)
        try:
            async with asyncio.timeout(self._commit_timeout):
                await consumer.commit(offsets)
            self.progress.commits += 1
            self._note_committed(offsets)
            self._buffer.grow()
        except TimeoutError:
            raise UnavailableError(f"Kafka took no offsets for {self._commit_timeout:.0f} s") from None
        except KafkaError as error:
            _log.warning("offsets not committed; the batch may come again", reason=repr(error))

    def _note_committed(self, offsets: Mapping[TopicPartition, int]) -> None:
        self.progress.committed.update(offsets)
        self._known_committed.update(offsets)

    async def _unfinished(self) -> list[TopicPartition]:
        """The partitions that have records beyond what was fetched, as of the last fetch."""
        consumer = self._consumer()
        if consumer is None:
            return []
        unfinished = []
        for partition in consumer.assignment() - consumer.paused():
            with suppress(IllegalStateError):  # assigned to another consumer by now
                end = readable_end(consumer, partition)
                if end is not None and await consumer.position(partition) < end:
                    unfinished.append(partition)
        return unfinished

    def _pause_full_partitions(self) -> None:
        """Pause partitions that are far ahead of the others, and resume the rest."""
        consumer = self._consumer()
        if consumer is None:
            return
        assigned = consumer.assignment()
        full = self._buffer.full(len(assigned)) & assigned
        consumer.resume(*(self._paused - full) & assigned)
        consumer.pause(*full)
        self._paused = full

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Leave no batch in flight: another consumer is about to read on from the committed offsets."""
        self._rebalancing = True
        self.progress.is_joined = False
        if self._seeking is not None:
            self._seeking.cancel()
        await self._drain_or_cancel(self._revoke_timeout)

    async def _drain_or_cancel(self, timeout: float) -> None:
        """Wait for the batches in flight; after the timeout cancel them, so that they roll back."""
        try:
            async with asyncio.timeout(timeout):
                await self._finish()
        except TimeoutError:
            self._pipeline.cancel()
            await self._finish()

    async def _finish(self) -> None:
        """Finish the batches in flight, and drop what was only fetched: the next consumer reads it again."""
        async with self._delivering:
            await self._pipeline.drain()
            self._pipeline.forget()
            self._buffer.clear()
            self._paused.clear()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Pause the new partitions until their start offsets are known."""
        self._rebalancing = False
        self.progress.is_joined = True
        self.progress.committed.clear()
        self._known_committed.clear()
        self._losses.forget()
        consumer = self._consumer()
        if consumer is None:
            return
        self._end_without_topic(consumer)
        if assigned and self._start is not None:
            consumer.pause(*assigned)
            self._seeking = asyncio.create_task(self._seek_to_start(consumer, assigned, self._start))

    def _end_without_topic(self, consumer: AIOKafkaConsumer) -> None:
        """End the process if a topic is gone.

        A topic created again is another one, whose partitions the client would wait for for minutes.
        """
        gone = [topic for topic in consumer.subscription() if not consumer.partitions_for_topic(topic)]
        if gone:
            self._fail(
                TopicGoneError(
                    f"{', '.join(gone)}: the topic is not there any more. Everything recorded stays. "
                    "This process ends; the next start says what is missing and what to do."
                )
            )

    async def _seek_to_start(
        self, consumer: AIOKafkaConsumer, assigned: set[TopicPartition], start: StartOffsets
    ) -> None:
        try:
            starts = await retry_until_available(
                lambda: start.resolve(consumer, assigned), doing="resolving the start offsets"
            )
            for partition, found in starts.items():
                consumer.seek(partition, found.offset)
                self._losses.report_start(partition, found)
            offsets = {f"{at.topic}/{at.partition}": starts[at].offset for at in sorted(starts)}
            _log.info("reading", offsets=offsets)
            consumer.resume(*assigned)
        except IllegalStateError:
            _log.info("partitions were revoked before they were read")
        except Exception as error:
            self._fail(error)


def subscribe(
    broker: KafkaBroker, delivery: BatchDelivery, *topics: str, group: str, session_seconds: float
) -> None:
    """Have a delivery process what a group reads of some topics.

    Args:
        delivery: to be closed before the broker is stopped.
        session_seconds: how long a consumer may be silent before Kafka hands its partitions on.
    """
    read_within_bounds()
    subscriber = broker.subscriber(
        *topics,
        batch=True,
        group_id=group,
        ack_policy=AckPolicy.MANUAL,
        auto_offset_reset="earliest",
        max_records=delivery.max_records,
        fetch_max_wait_ms=delivery.poll_milliseconds,
        fetch_max_bytes=FETCH_MAX_BYTES,
        max_partition_fetch_bytes=PARTITION_FETCH_BYTES,
        session_timeout_ms=int(session_seconds * 1000),
        heartbeat_interval_ms=int(session_seconds * 250),
        rebalance_timeout_ms=_REBALANCE_MILLISECONDS,
        listener=delivery,
        isolation_level=ISOLATION,
        parser=_raw_batch,
        decoder=_raw_records,
    )
    subscriber(delivery.deliver)
    subscriber.get_msg = delivery.poll  # type: ignore[method-assign]  # FastStream has no hook for a poll
    delivery.attach(lambda: subscriber.consumer)


async def _raw_batch(records: tuple[ConsumerRecord, ...]) -> KafkaMessage:
    """A parser that reads nothing: one bad header must not fail the whole batch."""
    return KafkaMessage(body=b"", raw_message=records, consumer=FAKE_CONSUMER)


async def _raw_records(message: KafkaMessage) -> Any:
    """A decoder that returns the records as they came."""
    return message.raw_message
