"""The sweep: finds what a lost command left, and rows that another writer put into the table."""

from collections.abc import Callable

from llamalog_service.log.recompute import Everything, RecomputeStore, recompute_until_converged

_JOBS_AT_ONCE = 1000


class Sweep:
    """A cheap look at rows that are not settled, often; a look at every row, seldom.

    Args:
        every: seconds between cheap looks.
        full_every: seconds between full ones; what they find, a lost command left.
        clock: monotonic seconds.
    """

    def __init__(
        self, store: RecomputeStore, *, every: float, full_every: float, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._every = every
        self._full_every = full_every
        self._clock = clock
        self._next = clock() + every
        self._next_full = clock() + full_every

    async def sweep_if_due(self) -> int:
        """Correct what is found, if it is time; how many rows were corrected."""
        now = self._clock()
        if now >= self._next_full:
            self._next_full, self._next = now + self._full_every, now + self._every
            return await self.sweep_everything()
        if now >= self._next:
            self._next = now + self._every
            return await self.sweep_unsettled()
        return 0

    async def sweep_unsettled(self) -> int:
        """Rows of another writer, and rows that wait for what is there already."""
        corrected = await self._store.resolve_untracked()
        starts = await self._store.stale_starts(_JOBS_AT_ONCE)
        return corrected + (await recompute_until_converged(self._store, starts)).rows_changed

    async def sweep_everything(self) -> int:
        """Every row against the rule."""
        corrected = await self._store.resolve_untracked()
        return corrected + (await recompute_until_converged(self._store, Everything.EVERYTHING)).rows_changed
