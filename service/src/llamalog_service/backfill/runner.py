"""A backfill from its plan to its report; interrupted at any point, the next worker resumes it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from datetime import timedelta
from itertools import islice
from typing import Any, NamedTuple, TypeVar
from uuid import UUID, uuid5

import structlog

from llamalog_schemas.backfills import BackfillPhase, Mismatch, RootCounts, RunStatus
from llamalog_schemas.commands import MissingParent, WholeTable
from llamalog_service.backfill.backfill_store import Backfill, BackfillStore
from llamalog_service.backfill.batches import BatchSizer, BatchWriter
from llamalog_service.backfill.plan_store import PlanDoesNotAddUpError, PlanStore
from llamalog_service.backfill.report import (
    Reconciled,
    mismatch_sentence,
    mismatches,
    reconcile,
    report_of,
    unexplained_sentence,
)
from llamalog_service.domain.errors import RowRefusedError, RowsLockedError
from llamalog_service.domain.overrides import RootOverride
from llamalog_service.domain.rows import utc_milliseconds
from llamalog_service.log.corrections import Cause, CauseKind
from llamalog_service.log.outbox import ProvenanceOutbox
from llamalog_service.log.recompute import NoProgressError, RecomputeStore, recompute_until_converged

_REST_WHILE_LOCKED = 1.0
"""Seconds between tries where a single row is locked: all recomputes wait while a batch waits."""

_JOBS_AT_ONCE = 1000
_LONGEST_TRANSACTION = timedelta(minutes=10)
"""A row bears the time at which its transaction began, which may be before the run's start."""

_log = structlog.get_logger("llamalog.backfill")
_Result = TypeVar("_Result")


class Stores(NamedTuple):
    """The stores that a backfill reads and writes."""

    backfills: BackfillStore
    plans: PlanStore
    batches: BatchWriter
    recompute: RecomputeStore
    outbox: ProvenanceOutbox


class _ActionRequested(Exception):
    """The run is to be paused or cancelled, or is not running any more ("stop")."""

    def __init__(self, action: str) -> None:
        super().__init__(action)
        self.action = action


class BackfillRunner:
    """Does the next backfill; only the one worker may have one.

    Args:
        poll_every: seconds between checks for a requested cancellation during long reads.
        sleep: rests between batches.
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
        """Do the next backfill until it ends or is paused; False if there is none.

        Raises:
            UnavailableError: the next call resumes it.
        """
        backfill = await self._backfills.claim()
        if backfill is None:
            return False
        try:
            await self._run(backfill)
        except _ActionRequested as requested:
            await self._apply(backfill.id, requested.action)
        except (RowRefusedError, NoProgressError, PlanDoesNotAddUpError) as error:
            await self._fail(backfill.id, str(error))
        return True

    async def _run(self, backfill: Backfill) -> None:
        run = backfill.id
        await self._check_requested_action(run)
        if backfill.phase in (BackfillPhase.WAITING, BackfillPhase.PLANNING):
            await self._plan(backfill)
            backfill = await self._current(run)
            if await self._ends_with_its_plan(backfill):
                return
        if backfill.phase is BackfillPhase.WRITING:
            await self._check_requested_action(run)
            await self._adopt_missing_tops(backfill)
            await self._write(backfill)
            await self._backfills.enter(run, BackfillPhase.LOOKING_AGAIN)
        if backfill.phase is not BackfillPhase.RECONCILING:
            await self._verify(backfill)
            await self._backfills.enter(run, BackfillPhase.RECONCILING)
        await self._reconcile(await self._current(run))

    async def _plan(self, backfill: Backfill) -> None:
        await self._backfills.enter(backfill.id, BackfillPhase.PLANNING)
        adopt = backfill.request.missing_parent is MissingParent.ADOPT
        plan, right = await self._unless_cancelled(
            backfill.id, self._plans.make(backfill.request.scope, adopt=adopt)
        )
        if not await self._backfills.note_plan(backfill.id, plan, plan.rows - right.rows, right):
            raise _ActionRequested("stop")
        _log.info("planned", run=str(backfill.id), rows=plan.rows, to_set=plan.rows - right.rows)

    async def _ends_with_its_plan(self, backfill: Backfill) -> bool:
        """End a dry run, or one whose plan does not meet the expectation."""
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

        As of the start: an adoption that is revoked after that stays revoked.
        """
        if backfill.request.missing_parent is not MissingParent.ADOPT:
            return
        reason = f"The backfill {backfill.id} adopts tops that were never logged."
        overridden_at = utc_milliseconds(backfill.started_at or backfill.requested_at)
        for jobs in chunks(await self._plans.missing_tops()):
            adopted = [(uuid5(backfill.id, job), job) for job in jobs]
            await self._stores.batches.insert_overrides(
                [
                    RootOverride(id_, job, True, reason, backfill.requested_by, overridden_at)
                    for id_, job in adopted
                ]
            )

    async def _write(self, backfill: Backfill) -> None:
        request = backfill.request
        sizer = BatchSizer(
            largest=request.batch_size,
            size=backfill.batch_size,
            rate=request.rate_limit,
            clock=time.monotonic,
        )
        while True:
            try:
                batch = await self._stores.batches.write_next(backfill.id, sizer)
            except RowsLockedError as locked:
                await self._back_off(backfill.id, sizer, str(locked))
                continue
            if batch.requested_action is not None:
                raise _ActionRequested(batch.requested_action)
            if batch.scanned == 0:
                return
            await self._sleep(sizer.grow(batch.scanned))

    async def _back_off(self, run: UUID, sizer: BatchSizer, reason: str) -> None:
        _log.info("rows are locked", run=str(run), batch=sizer.size, reason=reason)
        rest = _REST_WHILE_LOCKED if sizer.is_smallest else 0.0
        sizer.shrink()
        await self._backfills.note_locked(run, sizer.size)
        await self._sleep(rest)

    async def _verify(self, backfill: Backfill) -> None:
        """Correct rows that were recorded meanwhile and resolved by the rows as they were before the batches.

        One pass is enough. A row that is committed later finds the batches written, and its own writer
        verifies it after its commit; for a row that changes planned ones, its writer requests a recompute.
        """
        request = backfill.request
        store = self._stores.recompute.caused_by(Cause(CauseKind.VERIFICATION, (backfill.id,)))
        starts = await self._unless_cancelled(backfill.id, starts_to_correct(self._plans, backfill))
        jobs = {start for start in starts if start is not None}
        # The recompute of a revocation came before the batches that wrote what it takes back.
        jobs.update(await self._plans.tops_revoked())
        if request.missing_parent is MissingParent.ADOPT and not isinstance(request.scope, WholeTable):
            jobs.update(await self._plans.tops_to_adopt())  # rows outside the scope hang off them too
        if None in starts:
            await self._backfills.note_verified(backfill.id, await store.resolve_untracked())
        for chunk in chunks(sorted(jobs)):
            await self._check_requested_action(backfill.id)
            result = await recompute_until_converged(store, chunk)
            await self._backfills.note_verified(backfill.id, result.rows_changed)

    async def _reconcile(self, backfill: Backfill) -> None:
        reconciled = await reconcile(self._plans)
        error = unexplained_sentence(reconciled.unexplained) if reconciled.unexplained else None
        status = RunStatus.FAILED if error else RunStatus.COMPLETED
        await self._end(backfill, status, error, reconciled=reconciled)
        _log.info(
            "backfill ended",
            run=str(backfill.id),
            rows=backfill.scanned,
            set=backfill.set,
            refused=reconciled.refused,
        )

    async def _apply(self, run: UUID, action: str) -> None:
        if action == "pause":
            await self._backfills.pause(run)
            _log.info("backfill paused", run=str(run))
        elif action == "cancel":
            await self._end(await self._current(run), RunStatus.CANCELLED, None)
            _log.info("backfill cancelled", run=str(run))

    async def _fail(self, run: UUID, reason: str) -> None:
        backfill = await self._current(run)
        error = f"It can't be done: {reason.rstrip('.')}. {backfill.set} rows were written and stay."
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
        """Record the run's end with its report, and drop its plan; without a plan there is neither."""
        unpublished = await self._stores.outbox.count()
        report = await report_of(
            self._plans, backfill, unpublished=unpublished, missed=missed, reconciled=reconciled
        )
        await self._backfills.end(backfill.id, status, error=error, report=report)
        if report is not None:
            await self._plans.clear()

    async def _check_requested_action(self, run: UUID) -> None:
        action = await self._backfills.requested_action(run)
        if action is not None:
            raise _ActionRequested(action)

    async def _unless_cancelled(self, run: UUID, work: Coroutine[Any, Any, _Result]) -> _Result:
        """The result of a long read, which is broken off when the run is to be cancelled."""
        task = asyncio.create_task(work)
        try:
            while not (await asyncio.wait({task}, timeout=self._poll_every))[0]:
                action = await self._backfills.requested_action(run)
                if action in ("cancel", "stop"):
                    raise _ActionRequested(action)
            return task.result()
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def _current(self, run: UUID) -> Backfill:
        backfill = await self._backfills.find(run)
        if backfill is None:
            raise _ActionRequested("stop")
        return backfill


async def starts_to_correct(plans: PlanStore, backfill: Backfill) -> set[str | None]:
    """The jobs from which to correct rows recorded during the run; None: rows without any job.

    A row recorded meanwhile below a row without origin is pending, and there are few of those. Where the
    batches have overruled the roots that rows had, such a row may have taken an overruled root, or lie
    anywhere below; and a row may have been right again before its batch, so that no recompute touched it and
    its revision does not show it. Then every row of the scope is compared with the rule once more.
    """
    since = (backfill.started_at or backfill.requested_at) - _LONGEST_TRANSACTION
    starts: set[str | None] = set(await plans.late_starts(since))
    if await plans.overrules():
        starts.update(await plans.differing_starts(backfill.request.scope))
    return starts


def chunks(jobs: Sequence[str]) -> Iterator[list[str]]:
    """Jobs in lists short enough for one transaction."""
    rest = iter(jobs)
    while chunk := list(islice(rest, _JOBS_AT_ONCE)):
        yield chunk
