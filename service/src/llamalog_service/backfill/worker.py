"""The one worker that does what commands ask for, tells corrections, and sweeps."""

import asyncio

import structlog

from llamalog_service.backfill.corrections import tell_corrections
from llamalog_service.backfill.recompute import recompute_until_settled
from llamalog_service.backfill.sweep import Sweep
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
            await when_available(self._work_while_active, doing="the backfill worker's work")
            await asyncio.sleep(self._poll_every)

    async def _work_while_active(self) -> None:
        async with self._lock.attempt() as held:
            if held is None:
                return
            await self._take_over()
            await self._work(held)

    async def _take_over(self) -> None:
        """Finish what the worker before may have left."""
        await self._runs.requeue_left()
        await tell_corrections(self._outbox, self._announcer)

    async def _work(self, held: HeldLock) -> None:
        while held.is_held():
            if await self._do_waiting_runs():
                continue
            if await self._sweep.sweep_if_due():
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
