"""Three batches at once, each in another step: prepare, record, publish. Offsets are committed in order."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Generic, TypeVar

import structlog
from aiokafka import ConsumerRecord, TopicPartition

from llamalog_service.domain.errors import Retry, Stop, verdict_on
from llamalog_service.retry import retry_until_available
from llamalog_service.telemetry.metrics import NULL_METRICS, Metrics

Records = Sequence[ConsumerRecord]
Prepared = TypeVar("Prepared")
Stored = TypeVar("Stored")

STEP_TIMEOUT = 60.0
"""Seconds that a step waits for PostgreSQL or Kafka. Then the batches are requeued, so that the consumer
polls before Kafka takes it for dead (`max.poll.interval.ms`)."""

_log = structlog.get_logger("llamalog.delivery")
_partition, _offset = attrgetter("topic", "partition"), attrgetter("offset")


@dataclass(frozen=True, slots=True)
class Steps(Generic[Prepared, Stored]):
    """The processing of a batch; every step may be repeated with the same records.

    Attributes:
        prepare: decodes, and lets others take turns.
        record: stores what was prepared; waits for PostgreSQL.
        publish: publishes what was stored; waits for Kafka. Never before the previous batch is published.
    """

    prepare: Callable[[Records], Awaitable[Prepared]]
    record: Callable[[Prepared], Awaitable[Stored]]
    publish: Callable[[Stored], Awaitable[object]]


class Pipeline(Generic[Prepared, Stored]):
    """Runs batches through the steps; while one waits for PostgreSQL or Kafka the others proceed.

    When a step fails, every batch that is not committed is requeued, those in later steps included: the
    *epoch* ends, and a step that finds a later epoch than the one it began in does nothing more.

    Args:
        steps: the processing of a batch.
        commit: commits a batch's offsets once it is published.
        requeue: called with the batches that are to be fetched again, the oldest first.
        fail: called with an error after which the process must end.
        step_timeout: seconds that a step is retried while PostgreSQL or Kafka is unavailable.
        metrics: observes the size of each batch and the duration of its steps.
    """

    def __init__(
        self,
        steps: Steps[Prepared, Stored],
        *,
        commit: Callable[[Records], Awaitable[None]],
        requeue: Callable[[Sequence[Records]], None],
        fail: Callable[[BaseException], None],
        step_timeout: float = STEP_TIMEOUT,
        metrics: Metrics = NULL_METRICS,
    ) -> None:
        self._steps = steps
        self._commit = commit
        self._requeue = requeue
        self._fail = fail
        self._step_timeout = step_timeout
        self._metrics = metrics
        self._uncommitted: list[Records] = []
        self._recording: asyncio.Task[None] | None = None
        self._publishing: asyncio.Task[None] | None = None
        self._epoch = 0

    async def push(self, batch: Records) -> None:
        """Prepare a batch, and begin to record it once the previous one is recorded."""
        epoch = self._epoch
        self._uncommitted.append(batch)
        self._metrics.batch(len(batch))
        began = time.perf_counter()
        prepared = await self._steps.prepare(batch)
        self._metrics.step("prepare", time.perf_counter() - began)
        await _end_of(self._recording)
        if epoch == self._epoch:
            self._recording = self._begin(self._record(batch, prepared, epoch), epoch)

    @property
    def in_flight(self) -> int:
        """The number of batches whose offsets are not committed."""
        return len(self._uncommitted)

    @property
    def is_recording(self) -> bool:
        """Whether the next batch would have to wait for one that is being recorded."""
        return self._recording is not None and not self._recording.done()

    async def wait_until_recorded(self) -> None:
        """Wait until no batch is being recorded."""
        await _end_of(self._recording)

    async def drain(self) -> None:
        """Wait until every batch is committed or requeued."""
        await _end_of(self._recording)
        await _end_of(self._publishing)

    def cancel(self) -> None:
        """Cancel the steps that are running: what they have not committed rolls back."""
        for step in (self._recording, self._publishing):
            if step is not None:
                step.cancel()

    def forget(self) -> None:
        """Drop the batches in flight: the next consumer of their partitions reads them again."""
        self._epoch += 1
        self._uncommitted.clear()

    async def _record(self, batch: Records, prepared: Prepared, epoch: int) -> None:
        began = time.perf_counter()
        stored = await retry_until_available(
            lambda: self._steps.record(prepared), doing="recording a batch", timeout=self._step_timeout
        )
        self._metrics.step("record", time.perf_counter() - began)
        await _end_of(self._publishing)
        if epoch == self._epoch:
            self._publishing = self._begin(self._publish(batch, stored, epoch), epoch)

    async def _publish(self, batch: Records, stored: Stored, epoch: int) -> None:
        began = time.perf_counter()
        await retry_until_available(
            lambda: self._steps.publish(stored), doing="publishing a batch", timeout=self._step_timeout
        )
        published = time.perf_counter()
        self._metrics.step("publish", published - began)
        if epoch == self._epoch:
            await self._commit(batch)
            self._metrics.step("commit", time.perf_counter() - published)
        if epoch == self._epoch:
            self._uncommitted.pop(0)

    def _begin(self, step: Coroutine[Any, Any, None], epoch: int) -> asyncio.Task[None]:
        return asyncio.create_task(self._supervise(step, epoch))

    async def _supervise(self, step: Coroutine[Any, Any, None], epoch: int) -> None:
        """Run a step to its end, and requeue every batch if it fails."""
        try:
            await step
        except asyncio.CancelledError:
            _log.warning("batches cancelled", batches=len(self._uncommitted))
        except Exception as error:
            match verdict_on(error):
                case Retry(reason):
                    _log.warning("batches requeued", batches=len(self._uncommitted), reason=reason)
                case Stop(reason):
                    _log.error("batches failed", batches=len(self._uncommitted), reason=reason)
                    self._fail(error)
        else:
            return
        if epoch == self._epoch:
            batches = list(self._uncommitted)
            self.forget()
            self._requeue(batches)


async def _end_of(step: asyncio.Task[None] | None) -> None:
    if step is not None:
        await asyncio.wait([step])


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
    lasts = dict(zip(map(_partition, batch), map(_offset, batch), strict=True))  # each partition's in order
    return _by_partition({partition: last + 1 for partition, last in lasts.items()})


def _by_partition(offsets: dict[tuple[str, int], int]) -> dict[TopicPartition, int]:
    """With the client's keys; making one for each record, rather than for each partition, costs time."""
    return {TopicPartition(*partition): offset for partition, offset in offsets.items()}
