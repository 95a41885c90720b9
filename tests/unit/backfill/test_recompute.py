"""A recompute goes on below what it has changed, or over its whole scope where that is too much to name."""

from collections.abc import Collection
from typing import cast

from llamalog_service.log.recompute import (
    Everything,
    Recomputed,
    RecomputeResult,
    RecomputeStore,
    recompute_until_converged,
)

SOME: Collection[str] = ("one", "two")


class _Store:
    """Passes with a result each.

    Attributes:
        scopes: those of the passes, in order.
    """

    def __init__(self, *results: Recomputed) -> None:
        self._results = iter(results)
        self.scopes: list[Collection[str] | Everything] = []

    async def recompute(self, scope: Collection[str] | Everything) -> Recomputed:
        self.scopes.append(scope)
        return next(self._results)


async def test_a_pass_that_changed_too_many_rows_is_repeated_over_the_whole_scope() -> None:
    store = _Store(
        Recomputed(20_000, None, is_complete=False),
        Recomputed(20_000, None, is_complete=True),
        Recomputed(3, {"one"}, is_complete=True),
        Recomputed(0, set(), is_complete=True),
    )
    result = await recompute_until_converged(cast("RecomputeStore", store), SOME)
    assert result == RecomputeResult(40_003, 3)
    assert store.scopes == [SOME, SOME, SOME, {"one"}]
