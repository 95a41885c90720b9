"""A backfill from its plan to its report; interrupted at any point, the next worker goes on with it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NamedTuple, TypeVar
from uuid import UUID, uuid5

import structlog

from llamalog_schemas.backfills import BackfillPhase, Mismatch, RootCounts, RunStatus
from llamalog_schemas.commands import MissingParent, WholeTable
from llamalog_service.backfill.batch_sizer import DEFAULT_BATCH, BatchSizer
from llamalog_service.backfill.plan_batches import Pace, PlanBatches
from llamalog_service.backfill.plan_store import PlanStore
from llamalog_service.backfill.report import (
    Reconciled,
    mismatch_sentence,
    mismatches,
    reconcile,
    report_of,
    unexplained_sentence,
)
from llamalog_service.backfill.run_store import Backfill, BackfillStore
from llamalog_service.backfill.verification import portions, starts_to_correct
from llamalog_service.domain.errors import RowRefusedError, RowsLockedError
from llamalog_service.domain.overrides import RootOverride
from llamalog_service.domain.timestamps import utc_milliseconds
from llamalog_service.log.outbox import Outbox
from llamalog_service.log.recompute import RecomputeStore, recompute_until_converged
from llamalog_service.postgres.errors import PlanDoesNotAddUpError

_REST_WHILE_LOCKED = 1.0
"""Seconds without a try, when a single row is locked: all repairs wait while a batch waits."""

_log = structlog.get_logger("llamalog.backfill")
_Result = TypeVar("_Result")


class Stores(NamedTuple):
    """What a backfill reads and writes."""

    backfills: BackfillStore
    plans: PlanStore
    batches: PlanBatches
    recompute: RecomputeStore
    outbox: Outbox


class _Wished(Exception):
    """The run is to be paused or cancelled, or is not under way any more."""

    def __init__(self, wish: str) -> None:
        super().__init__(wish)
        self.wish = wish


class BackfillRunner:
    """Does the backfill whose turn it is; only the one worker may have one.

    Args:
        poll_every: seconds between looks whether a run is to be cancelled while it plans.
        sleep: how it rests.
    """

    def __init__(
        self, stores: Stores, *, poll_every: float, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._stores = stores
        self._backfills = stores.backfills
        self._plans = stores.plans
        self._poll_every = poll_every
        self._sleep = sleep

    async def run_next(self) -> bool:
        """Do the backfill whose turn it is until it ends or is paused; False if there is none.

        Raises:
            UnavailableError: the next call goes on with it.
        """
        backfill = await self._backfills.claim()
        if backfill is None:
            return False
        try:
            await self._run(backfill)
        except _Wished as wished:
            await self._heed(backfill.id, wished.wish)
        except (RowRefusedError, PlanDoesNotAddUpError) as error:
            await self._fail(backfill.id, str(error))
        return True

    async def _run(self, backfill: Backfill) -> None:
        run = backfill.id
        await self._check_wish(run)
        if backfill.phase in (BackfillPhase.WAITING, BackfillPhase.PLANNING):
            await self._plan(backfill)
            backfill = await self._current(run)
            if await self._ends_with_its_plan(backfill):
                return
        if backfill.phase is BackfillPhase.WRITING:
            await self._check_wish(run)
            await self._adopt_missing_tops(backfill)
            await self._write(backfill)
            await self._backfills.enter(run, BackfillPhase.LOOKING_AGAIN)
        if backfill.phase is not BackfillPhase.RECONCILING:
            await self._look_again(backfill)
            await self._backfills.enter(run, BackfillPhase.RECONCILING)
        await self._reconcile(await self._current(run))

    async def _plan(self, backfill: Backfill) -> None:
        await self._backfills.enter(backfill.id, BackfillPhase.PLANNING)
        adopt = backfill.request.missing_parent is MissingParent.ADOPT
        plan, right = await self._unless_cancelled(
            backfill.id, self._plans.make(backfill.request.scope, adopt=adopt)
        )
        if not await self._backfills.note_plan(backfill.id, plan, plan.rows - right.rows, right):
            raise _Wished("stop")
        _log.info("planned", run=str(backfill.id), rows=plan.rows, to_set=plan.rows - right.rows)

    async def _ends_with_its_plan(self, backfill: Backfill) -> bool:
        """End a run that only previews, or whose plan is not what was expected."""
        missed = mismatches(backfill.plan or RootCounts(), backfill.request.expected)
        if not missed and not backfill.request.dry_run:
            return False
        status = RunStatus.FAILED if missed else RunStatus.COMPLETED
        error = mismatch_sentence(missed) if missed else None
        await self._end(backfill, status, error, missed=missed)
        _log.info("backfill ended", run=str(backfill.id), status=status.value, error=error)
        return True

    async def _adopt_missing_tops(self, backfill: Backfill) -> None:
        """Adopt the tops that the plan counts as adopted, each under one id, so that it can be repeated.

        As of the start: whoever takes an adoption back after that has the last word.
        """
        if backfill.request.missing_parent is not MissingParent.ADOPT:
            return
        reason = f"The backfill {backfill.id} adopts tops that were never logged."
        decreed_at = utc_milliseconds(backfill.started_at or backfill.requested_at)
        for jobs in portions(await self._plans.missing_tops()):
            adopted = [(uuid5(backfill.id, job), job) for job in jobs]
            await self._stores.batches.insert_overrides(
                [
                    RootOverride(id_, job, True, reason, backfill.requested_by, decreed_at)
                    for id_, job in adopted
                ]
            )

    async def _write(self, backfill: Backfill) -> None:
        request = backfill.request
        pacer = BatchSizer(
            largest=request.batch_size or DEFAULT_BATCH,
            size=backfill.batch_size,
            rate=request.rate_limit,
            clock=time.monotonic,
        )
        while True:
            pace = Pace(pacer.size, pacer.next_size, pacer.rows_per_second)
            try:
                batch = await self._stores.batches.write_next(backfill.id, pace)
            except RowsLockedError as locked:
                await self._make_way(backfill.id, pacer, str(locked))
                continue
            if batch.wish is not None:
                raise _Wished(batch.wish)
            if batch.looked_at == 0:
                return
            await self._sleep(pacer.wrote(batch.looked_at))

    async def _make_way(self, run: UUID, pacer: BatchSizer, reason: str) -> None:
        _log.info("rows are locked", run=str(run), batch=pacer.size, reason=reason)
        rest = _REST_WHILE_LOCKED if pacer.is_smallest else 0.0
        pacer.shrink()
        await self._backfills.note_locked(run, pacer.size)
        await self._sleep(rest)

    async def _look_again(self, backfill: Backfill) -> None:
        """Correct what was recorded meanwhile and resolved by what stood before the batches.

        One look is enough. A row that is committed later finds the batches written, and its own writer looks
        again; of a row that changes what was planned its writer tells in a command, which waits for nothing.
        """
        request = backfill.request
        starts = await self._unless_cancelled(backfill.id, starts_to_correct(self._plans, backfill))
        jobs = {start for start in starts if start is not None}
        # The repair of a revocation came before the batches that wrote what it takes back.
        jobs.update(await self._plans.tops_revoked())
        if request.missing_parent is MissingParent.ADOPT and not isinstance(request.scope, WholeTable):
            jobs.update(await self._plans.tops_to_adopt())  # rows outside the scope hang off them too
        if None in starts:
            await self._backfills.note_set_again(
                backfill.id, await self._stores.recompute.resolve_untracked()
            )
        for portion in portions(sorted(jobs)):
            await self._check_wish(backfill.id)
            repair = await recompute_until_converged(self._stores.recompute, portion)
            await self._backfills.note_set_again(backfill.id, repair.rows_changed)

    async def _reconcile(self, backfill: Backfill) -> None:
        reconciled = await reconcile(self._plans)
        error = unexplained_sentence(reconciled.unexplained) if reconciled.unexplained else None
        status = RunStatus.FAILED if error else RunStatus.COMPLETED
        await self._end(backfill, status, error, reconciled=reconciled)
        _log.info("backfill ended", run=str(backfill.id), rows=backfill.scanned, set=backfill.set)

    async def _heed(self, run: UUID, wish: str) -> None:
        if wish == "pause":
            await self._backfills.pause(run)
            _log.info("backfill paused", run=str(run))
        elif wish == "cancel":
            await self._end(await self._current(run), RunStatus.CANCELLED, None)
            _log.info("backfill cancelled", run=str(run))

    async def _fail(self, run: UUID, reason: str) -> None:
        backfill = await self._current(run)
        error = f"It can't be done: {reason}. {backfill.set} rows were written and stay."
        await self._end(backfill, RunStatus.FAILED, error)
        _log.error("backfill failed", run=str(run), error=error)

    async def _end(
        self,
        backfill: Backfill,
        status: RunStatus,
        error: str | None,
        *,
        missed: tuple[Mismatch, ...] = (),
        reconciled: Reconciled | None = None,
    ) -> None:
        """Keep the run's end with its report, and let go of its plan; who made none has neither."""
        untold = await self._stores.outbox.count()
        report = await report_of(self._plans, backfill, untold=untold, missed=missed, reconciled=reconciled)
        await self._backfills.end(backfill.id, status, error=error, report=report)
        if report is not None:
            await self._plans.clear()

    async def _check_wish(self, run: UUID) -> None:
        wish = await self._backfills.wish(run)
        if wish is not None:
            raise _Wished(wish)

    async def _unless_cancelled(self, run: UUID, work: Coroutine[Any, Any, _Result]) -> _Result:
        """The result of long reading, which is broken off when the run is to be cancelled."""
        task = asyncio.create_task(work)
        try:
            while not (await asyncio.wait({task}, timeout=self._poll_every))[0]:
                wish = await self._backfills.wish(run)
                if wish in ("cancel", "stop"):
                    raise _Wished(wish)
            return task.result()
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def _current(self, run: UUID) -> Backfill:
        backfill = await self._backfills.find(run)
        if backfill is None:
            raise _Wished("stop")
        return backfill
