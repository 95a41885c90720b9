"""Recomputes of roots: requested by commands and done together, or found necessary by the sweep."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from functools import partial
from typing import NamedTuple, TypeVar
from uuid import UUID

import asyncpg
import structlog

from llamalog_service.domain.errors import RowRefusedError, UnavailableError
from llamalog_service.log.corrections import SWEEP, Cause, CauseKind
from llamalog_service.log.readable import read_by_halves, read_readable
from llamalog_service.log.recompute import (
    Everything,
    NoProgressError,
    RecomputeResult,
    RecomputeStore,
    recompute_until_converged,
)
from llamalog_service.postgres.statements import sql

_Result = TypeVar("_Result")

_RUNS_AT_ONCE = 100
_SWEEP_JOBS = 1000

_FAILURES = (RowRefusedError, NoProgressError)
"""What neither waiting nor setting rows aside helps: a run fails by it, the others are done."""

_log = structlog.get_logger("llamalog.backfill")


class QueuedRecompute(NamedTuple):
    """A recompute to be done; its id is the command's."""

    id: UUID
    jobs: tuple[str, ...]
    reason: str


class ClaimedRecompute(NamedTuple):
    """A recompute that the worker has claimed."""

    id: UUID
    jobs: list[str]


class RecomputeQueue:
    """The queue of commanded recomputes, shared by all migration consumers."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def enqueue(self, runs: Collection[QueuedRecompute]) -> None:
        """Add recomputes; one that is known by its id, done or not, is left alone."""
        async with self._pool.acquire() as connection:
            await connection.executemany(sql("enqueue_run"), runs)  # all or none

    async def claim(self, limit: int) -> list[ClaimedRecompute]:
        """Claim the oldest recomputes that are queued, or that a call claimed whose answer was lost.

        For the one worker alone, once it has done all that it has claimed.
        """
        records = await self._pool.fetch(sql("claim_runs"), limit)
        return [ClaimedRecompute(record["id"], record["jobs"]) for record in records]

    async def finish(self, ids: Collection[UUID], passes: int, rows_changed: int) -> None:
        """Mark recomputes that were done together as completed."""
        await self._pool.execute(sql("finish_runs"), ids, passes, rows_changed)

    async def fail(self, run: UUID, error: str) -> None:
        """Mark a recompute as failed, with the reason."""
        await self._pool.execute(sql("fail_run"), run, error)

    async def requeue_interrupted(self) -> None:
        """Requeue recomputes and backfills that a dead worker had claimed; for the one worker alone."""
        await self._pool.execute(sql("requeue_runs"))


class RecomputeRunner:
    """Does the queued recomputes; one that is done twice changes nothing."""

    def __init__(self, queue: RecomputeQueue, store: RecomputeStore) -> None:
        self._queue = queue
        self._store = store
        self._claimed: list[ClaimedRecompute] = []

    async def recompute_queued(self) -> bool:
        """Do the queued recomputes, their jobs as one scope; False if there is none.

        Raises:
            UnavailableError: the next call, or the next worker, repeats them.
        """
        self._claimed = self._claimed or await self._queue.claim(_RUNS_AT_ONCE)
        if not self._claimed:
            return False
        try:
            jobs = [job for run in self._claimed for job in run.jobs]
            await self._finish(self._claimed, await self._recompute(self._claimed, jobs))
        except _FAILURES:
            await self._recompute_one_by_one(self._claimed)
        self._claimed = []
        return True

    async def _recompute_one_by_one(self, claimed: list[ClaimedRecompute]) -> None:
        """Do each by itself, since one fails: its jobs by halves, without those that cannot be read."""
        for run in claimed:
            try:
                results, unreadable = await read_by_halves(run.jobs, partial(self._recompute, [run]))
            except NoProgressError as none:
                await self._fail(run, str(none))
                continue
            if unreadable:
                job, refusal = unreadable[0]
                more = f", and {len(unreadable) - 1} more jobs likewise" if len(unreadable) > 1 else ""
                await self._fail(run, f"rows of the job {job}, or below it, cannot be read{more}: {refusal}")
            else:
                rows_changed = sum(result.rows_changed for result in results)
                passes = max(result.passes for result in results)
                await self._finish([run], RecomputeResult(rows_changed, passes))

    async def _fail(self, run: ClaimedRecompute, reason: str) -> None:
        await self._queue.fail(run.id, reason)
        _log.error("recompute failed", run=str(run.id), error=reason)

    async def _recompute(self, runs: Iterable[ClaimedRecompute], jobs: Collection[str]) -> RecomputeResult:
        store = self._store.caused_by(Cause(CauseKind.RECOMPUTE, tuple(run.id for run in runs)))
        return await recompute_until_converged(store, sorted(set(jobs)))

    async def _finish(self, runs: list[ClaimedRecompute], result: RecomputeResult) -> None:
        await self._queue.finish([run.id for run in runs], result.passes, result.rows_changed)
        _log.info("recomputed", runs=len(runs), rows=result.rows_changed, passes=result.passes)


class Sweep:
    """Recomputes without a command: of rows without a final root often, of every row seldom.

    It finds what a lost command left, and rows that another program wrote into the table.

    Args:
        every: seconds between sweeps of rows without a final root.
        full_every: seconds between sweeps of all rows.
        clock: monotonic seconds.
    """

    def __init__(
        self, store: RecomputeStore, *, every: float, full_every: float, clock: Callable[[], float]
    ) -> None:
        self._store = store.caused_by(SWEEP)
        self._every = every
        self._full_every = full_every
        self._clock = clock
        self._next = clock() + every
        self._next_full = clock() + full_every

    @property
    def is_due(self) -> bool:
        """Whether it is time for a sweep."""
        return self._clock() >= min(self._next, self._next_full)

    async def sweep_if_due(self) -> int:
        """Sweep if it is time; the number of corrected rows.

        Raises:
            UnavailableError: the sweep stays due, as it does when it is cancelled.
        """
        now, due = self._clock(), (self._next, self._next_full)
        if now < min(due):
            return 0
        is_full = now >= self._next_full
        self._next = now + self._every
        if is_full:
            self._next_full = now + self._full_every
        try:
            return await (self.sweep_everything() if is_full else self.sweep_unsettled())
        except (UnavailableError, asyncio.CancelledError):
            self._next, self._next_full = due
            raise

    async def sweep_unsettled(self) -> int:
        """Correct rows of another writer, rows whose top has come, and rows set aside that have changed."""
        starts = await _unless_refused(self._store.unsettled.changed_refusals, set[str]())
        corrected = await _unless_refused(self._store.resolve_untracked, 0)
        starts.update(await _unless_refused(lambda: self._store.unsettled.stale_starts(_SWEEP_JOBS), []))
        return corrected + await self._correct(sorted(starts))

    async def sweep_everything(self) -> int:
        """Correct every row that differs from the rule; rows set aside are tried again."""
        await self._store.retry_refused()
        await self._store.unsettled.repeat_retractions()
        corrected = await _unless_refused(self._store.resolve_untracked, 0)
        return corrected + await _unless_refused(lambda: self._recompute(Everything.EVERYTHING), 0)

    async def _correct(self, starts: Sequence[str]) -> int:
        """Correct what is below these jobs; below those whose rows cannot be read, nothing."""
        return sum((await read_readable(starts, self._recompute, doing="sweeping")).results)

    async def _recompute(self, scope: Collection[str] | Everything) -> int:
        try:
            return (await recompute_until_converged(self._store, scope)).rows_changed
        except NoProgressError as none:
            _log.error("sweep failed", error=str(none))
            return 0


async def _unless_refused(step: Callable[[], Awaitable[_Result]], otherwise: _Result) -> _Result:
    """The result of a step of a sweep; the others are taken also where a row stops this one."""
    try:
        return await step()
    except RowRefusedError as refusal:
        _log.error("sweep failed", error=str(refusal))
        return otherwise
