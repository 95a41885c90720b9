"""Where events contradict each other: rival parents, roots declared otherwise, jobs that form a cycle.

None of them is lost: the earliest claim decides, the chain overrules a declaration, and what is on a cycle
or below it has no root; every row keeps what it said.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from llamalog_schemas.provenance import Origin
from llamalog_service.store.reader import Reader, Record


class Cursor(NamedTuple):
    """A row's place in the order of time, to go on behind it."""

    at: datetime
    row: UUID

    def __str__(self) -> str:
        return f"{self.at.isoformat()}/{self.row}"


START = Cursor(datetime.min, UUID(int=0))


@dataclass(frozen=True, slots=True)
class RowConflict:
    """A row that says otherwise than what counts.

    Attributes:
        said: the parent that it claims, or the root that it declares.
        counts: the parent of the earliest claim, or the root that was found.
    """

    cursor: Cursor
    operation: str
    job: str | None
    said: str
    counts: str | None
    root_job: str | None
    origin: Origin | None


@dataclass(frozen=True, slots=True)
class Cycle:
    """Jobs of which each names the next as its parent, the last one the first.

    Attributes:
        members: from the least one on; of a very long cycle the first ones.
        rows: of these jobs, and of all below them.
        since: the time of the earliest row, UTC without a zone.
    """

    members: tuple[str, ...]
    rows: int
    since: datetime


@dataclass(frozen=True, slots=True)
class ConflictCounts:
    """How many rows contradict others, and how many cycles they form."""

    parents: int
    declarations: int
    rows_on_cycles: int
    cycles: int


async def count_conflicts(reader: Reader) -> ConflictCounts:
    """How many there are.

    Raises:
        UnavailableError: PostgreSQL is away.
    """
    return ConflictCounts(**await reader.row("conflict_counts"))


async def parent_conflicts(reader: Reader, *, limit: int, after: Cursor = START) -> Sequence[RowConflict]:
    """Rows that claim another parent than the one that counts, by time.

    Raises:
        UnavailableError: PostgreSQL is away.
    """
    found = await reader.rows("conflicts_of_parents", after.at, after.row, limit)
    return [_row_conflict(record, record["claimed"], record["parent"]) for record in found]


async def declaration_conflicts(
    reader: Reader, *, limit: int, after: Cursor = START
) -> Sequence[RowConflict]:
    """Rows that declare another root than the one that was found, by time.

    Raises:
        UnavailableError: PostgreSQL is away.
    """
    found = await reader.rows("conflicts_of_declarations", after.at, after.row, limit)
    return [_row_conflict(record, record["declared"], record["root_job_id"]) for record in found]


async def cycles(reader: Reader, *, limit: int, after: str = "") -> Sequence[Cycle]:
    """The cycles, by the name of their first member.

    Args:
        after: the first member of the cycle to go on behind.

    Raises:
        UnavailableError: PostgreSQL is away.
    """
    found = await reader.rows("cycles", after, limit)
    return [Cycle(tuple(record["members"]), record["rows"], record["since"]) for record in found]


def _row_conflict(record: Record, said: Any, counts: Any) -> RowConflict:
    return RowConflict(
        cursor=Cursor(record["created_at"], record["id"]),
        operation=record["operation"],
        job=record["job_id"],
        said=said,
        counts=counts,
        root_job=record["root_job_id"],
        origin=None if record["origin"] is None else Origin(record["origin"]),
    )
