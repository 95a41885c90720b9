"""Recompute until nothing differs."""

from collections.abc import Collection
from typing import NamedTuple

from llamalog_service.log.recompute_store import Everything, RecomputeStore


class Repair(NamedTuple):
    """What a repair did: rows changed, and passes needed, the last of which changed nothing."""

    rows_changed: int
    passes: int


async def recompute_until_settled(store: RecomputeStore, scope: Collection[str] | Everything) -> Repair:
    """Correct a scope, then look again below what was corrected until a pass finds nothing.

    A row may be committed below a correction while the correction is under way, resolved by what was
    true before it. Either its writer looks again after the correction's commit, or this look, which
    comes after it too, finds the row.
    """
    rows_changed = passes = 0
    while scope:
        changed = await store.recompute(scope)
        rows_changed += sum(changed.values())
        passes += 1
        scope = changed.keys()
    return Repair(rows_changed, passes)
