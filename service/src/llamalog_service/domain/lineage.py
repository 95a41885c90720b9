"""Statements about jobs, roots, cycles: the terms that the fold and the fast path share."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from llamalog_schemas.provenance import Origin

MAX_MEMBERS_NAMED = 64
"""A cycle's members are named up to this many, from the least one on."""

OPEN = frozenset({Origin.PENDING, Origin.DECLARED})
"""The origins of a lineage whose top was never seen: its event may still come."""


class Statement(Struct, frozen=True, order=True, gc=False):
    """A claim or a declaration of a row about its job; of several the earliest, the least, counts."""

    time: datetime
    row: UUID
    named: str


class Root(Struct, frozen=True, gc=False):
    """The computed part of a row, which follows from all rows.

    ``cycle_members`` are named for CYCLE alone. ``parent_conflict``: the row claims another
    parent than the one that counts.
    """

    root_job_id: str | None
    origin: Origin
    cycle_members: tuple[str, ...] | None = None
    parent_conflict: bool = False


def name_cycle(ring: list[str]) -> tuple[str, ...]:
    """A cycle's members from the least one on, each followed by its parent, as far as they are named."""
    least = ring.index(min(ring))
    return tuple(ring[least:] + ring[:least])[:MAX_MEMBERS_NAMED]


def cycles_below(parents: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """The members of the cycle that each of these jobs is on or below.

    Args:
        parents: the parent of each job; every walk through it must come back to itself.
    """
    members: dict[str, tuple[str, ...]] = {}
    for start in parents:
        walk: dict[str, int] = {}
        job = start
        while job not in walk and job not in members:
            walk[job] = len(walk)
            job = parents[job]
        if job not in members:
            members[job] = name_cycle(list(walk)[walk[job] :])
        for passed in walk:
            members[passed] = members[job]
    return members
