"""The one worker: recomputes, backfills, sweeps and their publication, side by side under one lock."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import NamedTuple

import asyncpg
import structlog

from llamalog_service.backfill.backfill_store import BackfillStore
from llamalog_service.backfill.batches import BatchWriter
from llamalog_service.backfill.override_publication import OverrideRelay
from llamalog_service.backfill.plan_store import PlanStore
from llamalog_service.backfill.publishers import CorrectionRelay, ProgressPublisher
from llamalog_service.backfill.recomputes import RecomputeQueue, RecomputeRunner, Sweep
from llamalog_service.backfill.runner import BackfillRunner, Stores
from llamalog_service.domain.errors import RowExistsError, RowRefusedError
from llamalog_service.kafka.publisher import EventPublisher
from llamalog_service.log.erasures import Eraser
from llamalog_service.log.history import RootHistory
from llamalog_service.log.outbox import ProvenanceOutbox
from llamalog_service.log.overrides import OverrideStore
from llamalog_service.log.recompute import RecomputeStore
from llamalog_service.log.retractions import Retractor
from llamalog_service.postgres.locks import WorkerLock
from llamalog_service.retry import retry_until_available
from llamalog_service.telemetry.metrics import NULL_METRICS, Metrics

_log = structlog.get_logger("llamalog.backfill")

RECOMPUTING = "recomputing roots"
PUBLISHING_CORRECTIONS = "publishing corrections"

POLL_SECONDS = 0.5
_PROGRESS_SECONDS = 1.0
_PRUNING_SECONDS = 60.0
_BETWEEN_PIECES_SECONDS = 0.1
_BETWEEN_RECOMPUTES_SECONDS = 0.2
"""Under load every batch requests a recompute; those that come meanwhile are done together."""


class PeriodicTask(NamedTuple):
    """A task that the worker repeats, independently of its other tasks.

    Attributes:
        doing: its description in the log.
        do: does the work that there is; True: call it again.
        every: seconds of rest after a call that returned False; a wake-up ends it.
        pause: seconds of rest after a call that returned True; nothing ends it.
        wakes: another task, by `doing`, which a call that returned True leaves work for.
    """

    doing: str
    do: Callable[[], Awaitable[bool]]
    every: float
    pause: float = 0.0
    wakes: str | None = None


class Worker:
    """Runs its periodic tasks; one worker is active at a time over all migration consumers.

    Tasks wait for each other only in the transactions that correct roots, which are short. The next worker
    repeats the recomputes and resumes the backfill that a dead one had claimed.
    """

    def __init__(
        self, *, lock: WorkerLock, queue: RecomputeQueue, tasks: Sequence[PeriodicTask], poll_every: float
    ) -> None:
        self._lock = lock
        self._queue = queue
        self._tasks = [(task, asyncio.Event()) for task in tasks]
        self._poll_every = poll_every

    def wake(self, doing: str | None = None) -> None:
        """Start one task, or all, now rather than at the next poll."""
        for task, wake in self._tasks:
            if doing is None or task.doing == doing:
                wake.set()

    async def run(self) -> None:
        """Work until cancelled; wait while PostgreSQL or Kafka is away, or another worker is active."""
        while True:
            async with AsyncExitStack() as held:
                if await retry_until_available(lambda: self._take_over(held), doing="becoming the worker"):
                    await self._work_while_held()
            await asyncio.sleep(self._poll_every)

    async def _take_over(self, held: AsyncExitStack) -> bool:
        """Become the one worker, unless another is active, and requeue what a dead one had claimed."""
        async with AsyncExitStack() as trying:
            is_held = await trying.enter_async_context(self._lock.attempt())
            if is_held:
                await self._queue.requeue_interrupted()
                held.push_async_exit(trying.pop_all())
            return is_held

    async def _work_while_held(self) -> None:
        """Run all tasks; an error that no retry cures ends them all and is raised.

        One of a row is no such error: the task is repeated, and the others go on.
        """
        working = [asyncio.create_task(self._repeat(task, wake)) for task, wake in self._tasks]
        working.append(asyncio.create_task(self._watch()))
        try:
            ended, _ = await asyncio.wait(working, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in working:
                task.cancel()
            await asyncio.wait(working)
        for task in ended:
            task.result()

    async def _watch(self) -> None:
        while self._lock.is_held():  # noqa: ASYNC110 - asyncpg has no event for it
            await asyncio.sleep(self._poll_every)
        _log.warning("worker interrupted", reason="the session that held the worker's lock is gone")

    async def _repeat(self, task: PeriodicTask, wake: asyncio.Event) -> None:
        refused = ""
        while True:
            is_done = True
            try:
                is_done = not await retry_until_available(task.do, doing=task.doing, may_take_long=True)
                refused = ""
            except (RowRefusedError, RowExistsError) as refusal:
                if str(refusal) != refused:
                    refused = str(refusal)
                    _log.error("refused", doing=task.doing, reason=refused)
            if not is_done:
                if task.wakes is not None:
                    self.wake(task.wakes)
                await asyncio.sleep(task.pause)
            else:
                await _rest(wake, task.every)


async def _rest(wake: asyncio.Event, seconds: float) -> None:
    """Wait until woken, for so many seconds at most.

    Not by `asyncio.wait_for`: up to Python 3.11 it swallows a cancellation that comes in the iteration of the
    event loop in which the wake-up does, and the worker would never end.
    """
    try:
        async with asyncio.timeout(seconds):
            await wake.wait()
    except TimeoutError:
        return
    finally:
        wake.clear()


def recompute_tasks(
    pool: asyncpg.Pool,
    planning_pool: asyncpg.Pool,
    metrics: Metrics = NULL_METRICS,
    *,
    keeping_plans: asyncpg.Pool | None = None,
) -> list[PeriodicTask]:
    """Recomputes, backfills, erasures and retractions; they need PostgreSQL alone.

    Args:
        planning_pool: its connections plan every statement anew.
        metrics: count what recomputes change.
        keeping_plans: a pool for recomputes of few rows, with one connection, so that they are planned
            once; None: `pool`.
    """
    recompute = RecomputeStore(planning_pool, metrics, keeping_plans=keeping_plans or pool)
    stores = Stores(
        backfills=BackfillStore(pool),
        plans=PlanStore(planning_pool),
        batches=BatchWriter(planning_pool),
        recompute=recompute,
        outbox=ProvenanceOutbox(pool),
    )
    return [
        PeriodicTask(
            RECOMPUTING,
            RecomputeRunner(RecomputeQueue(pool), recompute).recompute_queued,
            POLL_SECONDS,
            _BETWEEN_RECOMPUTES_SECONDS,
            wakes=PUBLISHING_CORRECTIONS,
        ),
        PeriodicTask(
            "erasing persons", Eraser(planning_pool).erase_next, POLL_SECONDS, wakes=PUBLISHING_CORRECTIONS
        ),
        PeriodicTask(
            "applying retractions",
            Retractor(planning_pool, recompute).apply_next,
            POLL_SECONDS,
            wakes=PUBLISHING_CORRECTIONS,
        ),
        PeriodicTask("backfilling", BackfillRunner(stores, poll_every=POLL_SECONDS).run_next, POLL_SECONDS),
    ]


def sweep_task(
    planning_pool: asyncpg.Pool, *, every: float, full_every: float, metrics: Metrics = NULL_METRICS
) -> PeriodicTask:
    """The sweep; arguments as of `recompute_tasks` and `Sweep`.

    It waits for a running backfill, which corrects the same rows in its order, at a fraction of the cost.
    """
    store, backfills = RecomputeStore(planning_pool, metrics), BackfillStore(planning_pool)
    sweep = Sweep(store, every=every, full_every=full_every, clock=time.monotonic)

    async def sweep_if_due() -> bool:
        if sweep.is_due and not await backfills.any_running():
            await sweep.sweep_if_due()
        return False

    return PeriodicTask("sweeping", sweep_if_due, POLL_SECONDS)


def history_task(pool: asyncpg.Pool, *, keep: timedelta, metrics: Metrics = NULL_METRICS) -> PeriodicTask:
    """Deletion of the history of roots that is older than it is kept."""
    history = RootHistory(pool, keep=keep, metrics=metrics)
    return PeriodicTask("pruning the history", history.prune, _PRUNING_SECONDS, _BETWEEN_PIECES_SECONDS)


def publish_tasks(pool: asyncpg.Pool, event_publisher: EventPublisher) -> list[PeriodicTask]:
    """Publication of corrections, of the overrides that backfills write, and of their progress."""
    backfills = BackfillStore(pool)
    corrections = CorrectionRelay(ProvenanceOutbox(pool), backfills, event_publisher)
    return [
        PeriodicTask(PUBLISHING_CORRECTIONS, corrections.publish_next, POLL_SECONDS),
        PeriodicTask(
            "publishing overrides of backfills",
            OverrideRelay(OverrideStore(pool), event_publisher).publish_next,
            _PROGRESS_SECONDS,
        ),
        PeriodicTask(
            "publishing the progress of backfills",
            ProgressPublisher(backfills, event_publisher).publish_changes,
            _PROGRESS_SECONDS,
        ),
    ]
