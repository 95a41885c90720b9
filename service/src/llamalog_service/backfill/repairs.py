"""The repairs that commands ask for: those that wait together are done together."""

import structlog

from llamalog_service.backfill.command_store import Claimed, RunStore
from llamalog_service.domain.errors import RowRefusedError
from llamalog_service.log.recompute import RecomputeStore, Repair, recompute_until_converged

_RUNS_AT_ONCE = 100

_log = structlog.get_logger("llamalog.backfill")


class Repairs:
    """Does queued repairs; one done twice changes nothing."""

    def __init__(self, runs: RunStore, recompute: RecomputeStore) -> None:
        self._runs = runs
        self._recompute = recompute
        self._taken: list[Claimed] = []

    async def do_waiting(self) -> bool:
        """Do the repairs that wait, their jobs as one scope; False if there is none.

        Raises:
            UnavailableError: the next call, or the next worker, begins them anew.
        """
        self._taken = self._taken or await self._runs.claim(_RUNS_AT_ONCE)
        if not self._taken:
            return False
        try:
            await self._finish(self._taken, await self._repair(self._taken))
        except RowRefusedError:
            await self._do_one_by_one(self._taken)
        self._taken = []
        return True

    async def _do_one_by_one(self, claimed: list[Claimed]) -> None:
        """One of several was refused: the others are not to wait for it."""
        for run in claimed:
            try:
                await self._finish([run], await self._repair([run]))
            except RowRefusedError as refused:
                error = f"PostgreSQL refuses a row for good: {refused}. Nothing was changed by this run."
                await self._runs.fail(run.id, error)
                _log.error("repair failed", run=str(run.id), error=error)

    async def _repair(self, runs: list[Claimed]) -> Repair:
        jobs = {job for run in runs for job in run.jobs}
        return await recompute_until_converged(self._recompute, sorted(jobs))

    async def _finish(self, runs: list[Claimed], repair: Repair) -> None:
        await self._runs.finish([run.id for run in runs], repair.passes, repair.rows_changed)
        _log.info("repaired", runs=len(runs), rows=repair.rows_changed, passes=repair.passes)
