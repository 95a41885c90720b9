"""Three batches at once, each in another step: prepared, recorded, told; committed in order."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import structlog

from llamalog_service.domain.verdicts import Retry, Stop, verdict_on
from llamalog_service.kafka.consumer.records import Records
from llamalog_service.telemetry.metrics import NULL_METRICS, Metrics

Prepared = TypeVar("Prepared")
Stored = TypeVar("Stored")

_log = structlog.get_logger("llamalog.delivery")


@dataclass(frozen=True, slots=True)
class Steps(Generic[Prepared, Stored]):
    """What is done with a batch; every step may be done again with the same records.

    Attributes:
        prepare: needs nobody else; decodes.
        record: stores what was prepared; waits for PostgreSQL.
        publish: says what was stored; waits for Kafka. Never before the batch before was told.
    """

    prepare: Callable[[Records], Prepared]
    record: Callable[[Prepared], Awaitable[Stored]]
    publish: Callable[[Stored], Awaitable[None]]


class Pipeline(Generic[Prepared, Stored]):
    """Takes batches through the steps; while one waits for PostgreSQL or Kafka the others go on.

    When a step fails, every batch that is not committed is put back, those that were further on included:
    the *epoch* ends, and a step that finds itself in a later epoch than it began in leaves it at that.

    Args:
        steps: what is done with a batch.
        commit: commits a batch's offsets, when it is told.
        requeue: told of the batches that are to be fetched again, the oldest first.
        fail: told of an error after which the process must not go on.
        metrics: told the size of each batch and how long its steps took.
    """

    def __init__(
        self,
        steps: Steps[Prepared, Stored],
        *,
        commit: Callable[[Records], Awaitable[None]],
        requeue: Callable[[Sequence[Records]], None],
        fail: Callable[[BaseException], None],
        metrics: Metrics = NULL_METRICS,
    ) -> None:
        self._steps = steps
        self._commit = commit
        self._requeue = requeue
        self._fail = fail
        self._metrics = metrics
        self._uncommitted: list[Records] = []
        self._recording: asyncio.Task[None] | None = None
        self._publishing: asyncio.Task[None] | None = None
        self._epoch = 0

    async def push(self, batch: Records) -> None:
        """Prepare a batch, and begin to record it once the one before is recorded."""
        epoch = self._epoch
        self._uncommitted.append(batch)
        self._metrics.batch(len(batch))
        began = time.perf_counter()
        prepared = self._steps.prepare(batch)
        self._metrics.step("prepare", time.perf_counter() - began)
        await _end_of(self._recording)
        if epoch == self._epoch:
            self._recording = self._begin(self._record(batch, prepared, epoch), epoch)

    @property
    def in_flight(self) -> int:
        """How many batches are not committed."""
        return len(self._uncommitted)

    async def drain(self) -> None:
        """Wait until every batch is committed, or put back."""
        await _end_of(self._recording)
        await _end_of(self._publishing)

    def cancel(self) -> None:
        """Cancel the steps under way: what they have not committed rolls back."""
        for step in (self._recording, self._publishing):
            if step is not None:
                step.cancel()

    def forget(self) -> None:
        """Leave the batches under way to whoever reads their partitions next."""
        self._epoch += 1
        self._uncommitted.clear()

    async def _record(self, batch: Records, prepared: Prepared, epoch: int) -> None:
        began = time.perf_counter()
        stored = await self._steps.record(prepared)
        self._metrics.step("record", time.perf_counter() - began)
        await _end_of(self._publishing)
        if epoch == self._epoch:
            self._publishing = self._begin(self._publish(batch, stored, epoch), epoch)

    async def _publish(self, batch: Records, stored: Stored, epoch: int) -> None:
        began = time.perf_counter()
        await self._steps.publish(stored)
        told = time.perf_counter()
        self._metrics.step("publish", told - began)
        if epoch == self._epoch:
            await self._commit(batch)
            self._metrics.step("commit", time.perf_counter() - told)
        if epoch == self._epoch:
            self._uncommitted.pop(0)

    def _begin(self, step: Coroutine[Any, Any, None], epoch: int) -> asyncio.Task[None]:
        return asyncio.create_task(self._watch(step, epoch))

    async def _watch(self, step: Coroutine[Any, Any, None], epoch: int) -> None:
        """See a step to its end, and put everything back if it fails."""
        try:
            await step
        except asyncio.CancelledError:
            _log.warning("batches cancelled", batches=len(self._uncommitted))
        except Exception as error:
            match verdict_on(error):
                case Retry(reason):
                    _log.warning("batches requeued", batches=len(self._uncommitted), reason=reason)
                case Stop(reason):
                    _log.error("batches not done", batches=len(self._uncommitted), reason=reason)
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
