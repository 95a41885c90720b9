"""The words in which roots are spoken of, shared by the fold and by the fast path."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from llamalog_schemas.provenance import Origin

MAX_MEMBERS_NAMED = 64
"""A cycle's members are named up to this many, from the least one on."""

OPEN = frozenset({Origin.PENDING, Origin.DECLARED})
"""The origins of a lineage whose top was never seen: its event may still come."""


class Statement(Struct, frozen=True, order=True, gc=False):
    """Something that a row says about its job; of several the least, that is the earliest, counts."""

    time: datetime
    row: UUID
    named: str


class Root(Struct, frozen=True, gc=False):
    """What follows for a row from all rows.

    ``cycle_members`` are named for CYCLE alone. ``parent_conflict`` tells that the row claims another
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
