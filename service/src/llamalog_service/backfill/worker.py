"""The one worker that does what commands ask for, tells corrections, and sweeps."""

import asyncio
from contextlib import AsyncExitStack

import structlog

from llamalog_service.backfill.corrections import tell_corrections
from llamalog_service.backfill.recompute import recompute_until_settled
from llamalog_service.backfill.sweep import Sweep
from llamalog_service.domain.errors import UnavailableError
from llamalog_service.publish.announcer import Announcer
from llamalog_service.store.outbox import Outbox
from llamalog_service.store.recompute import RecomputeStore
from llamalog_service.store.runs import RunStore
from llamalog_service.store.worker_lock import HeldLock, WorkerLock
from llamalog_service.waiting import when_available

_log = structlog.get_logger("llamalog.backfill")

_RUNS_AT_ONCE = 100


class Worker:
    """Executes runs, one worker at a time over all migration consumers.

    Repairs that wait together are done together: their jobs are one scope. Whatever it was doing when
    it died is done again by the next one; a repair done twice changes nothing.
    """

    def __init__(
        self,
        *,
        lock: WorkerLock,
        runs: RunStore,
        recompute: RecomputeStore,
        outbox: Outbox,
        announcer: Announcer,
        sweep: Sweep,
        poll_every: float,
    ) -> None:
        self._lock = lock
        self._runs = runs
        self._recompute = recompute
        self._outbox = outbox
        self._announcer = announcer
        self._sweep = sweep
        self._poll_every = poll_every
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Look for runs now rather than at the next poll."""
        self._wake.set()

    async def run(self) -> None:
        """Work until cancelled; wait while PostgreSQL or Kafka is away, or another worker is active."""
        while True:
            async with AsyncExitStack() as held:
                lock = await when_available(lambda: self._take_over(held), doing="taking over the repairs")
                if lock is not None:
                    await self._work_until_interrupted(lock)
            await asyncio.sleep(self._poll_every)

    async def _take_over(self, held: AsyncExitStack) -> HeldLock | None:
        """Become the one worker, unless another is active, and finish what the one before may have left."""
        async with AsyncExitStack() as trying:
            lock = await trying.enter_async_context(self._lock.attempt())
            if lock is not None:
                await self._runs.requeue_left()
                await tell_corrections(self._outbox, self._announcer)
                held.push_async_exit(trying.pop_all())
            return lock

    async def _work_until_interrupted(self, lock: HeldLock) -> None:
        try:
            await self._work(lock)
        except UnavailableError as away:
            _log.warning("repairs interrupted", reason=str(away))

    async def _work(self, lock: HeldLock) -> None:
        while lock.is_held():
            if await self._do_waiting_runs():
                continue
            await self._sweep.sweep_if_due()
            await tell_corrections(self._outbox, self._announcer)
            await self._rest()

    async def _do_waiting_runs(self) -> bool:
        claimed = await self._runs.claim(_RUNS_AT_ONCE)
        if not claimed:
            return False
        repair = await recompute_until_settled(
            self._recompute, sorted({job for run in claimed for job in run.jobs})
        )
        await tell_corrections(self._outbox, self._announcer)
        await self._runs.finish([run.id for run in claimed], repair.passes, repair.rows_changed)
        _log.info("repaired", runs=len(claimed), rows=repair.rows_changed, passes=repair.passes)
        return True

    async def _rest(self) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), self._poll_every)
        except TimeoutError:
            return
        finally:
            self._wake.clear()
