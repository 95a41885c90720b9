"""Contradictions between events, and refused corrections: parents, declarations, cycles, refusals.

None of them is lost: the earliest claim decides, the chain overrules a declaration, and what is on a cycle
or below it has no root; every row keeps its own values. A row that a constraint, a policy or a trigger of the
table's owner protects from a correction is set aside, and tried again once it has changed.
"""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from llamalog_schemas.provenance import Origin
from llamalog_service.postgres.reader import Reader
from llamalog_service.postgres.statements import Row
from llamalog_service.queries.paging import (
    DEFAULT_LIMIT,
    MAX_BYTES,
    OLDEST,
    Cursor,
    Page,
    at_most,
    fitting,
    page_of,
    position_of,
)
from llamalog_service.queries.rows import origin_of, struct_of


class RowConflict(Struct, frozen=True, kw_only=True, rename="camel"):
    """A row whose claim or declaration does not count.

    Attributes:
        time: the event's, UTC.
        stated: the parent that it claims, or the root that it declares.
        counts: the parent of the earliest claim, or the root that was found.
        cursor: to go on behind this one.
    """

    row: UUID
    time: datetime
    operation: str
    job: str | None
    stated: str
    counts: str | None
    root_job: str | None
    origin: Origin | None
    cursor: str


class Cycle(Struct, frozen=True, kw_only=True, rename="camel"):
    """Jobs of which each names the next as its parent, the last one the first.

    Attributes:
        members: from the least one on; of a very long cycle the first ones.
        rows: of these jobs, and of all below them.
        since: the time of the earliest row, UTC.
    """

    members: tuple[str, ...]
    rows: int
    since: datetime


class RefusedRow(Struct, frozen=True, kw_only=True, rename="camel"):
    """A row that PostgreSQL lets no writer change.

    Attributes:
        since: the first refusal, UTC; `last_at` is the last of `attempts`.
        write: what was to be changed: its `root`, the `claim` of a root job, its `content` in a repair; or
            `read`, where it cannot be read. Of several the one that was refused first.
        sqlstate: PostgreSQL's code; 02000 where nothing was raised, and nothing written.
        operation, job, root_job, origin: as they are, and are not to be; empty where the row cannot be read.
        cursor: to go on behind this one.
    """

    row: UUID
    since: datetime
    last_at: datetime
    attempts: int
    write: str
    sqlstate: str
    reason: str
    operation: str
    job: str | None
    root_job: str | None
    origin: Origin | None
    cursor: str


class ConflictCounts(Struct, frozen=True, kw_only=True, rename="camel"):
    """Numbers of rows that contradict others, of the cycles they form, and of rows that cannot be changed."""

    parents: int
    declarations: int
    rows_on_cycles: int
    cycles: int
    refused: int


async def count_conflicts(reader: Reader) -> ConflictCounts:
    """Count them."""
    return ConflictCounts(**await reader.row("conflict_counts"))


async def parent_conflicts(
    reader: Reader, *, limit: int = DEFAULT_LIMIT, after: Cursor | None = None
) -> Page[RowConflict]:
    """Rows that claim another parent than the one that counts, by time."""
    return await _row_conflicts(reader, "conflicts_of_parents", limit, after)


async def declaration_conflicts(
    reader: Reader, *, limit: int = DEFAULT_LIMIT, after: Cursor | None = None
) -> Page[RowConflict]:
    """Rows that declare another root than the one that was found, by time."""
    return await _row_conflicts(reader, "conflicts_of_declarations", limit, after)


async def cycles(reader: Reader, *, limit: int = DEFAULT_LIMIT, after: str = "") -> Page[Cycle]:
    """The cycles, by the name of their first member, which is the cursor as well."""
    limit = at_most(limit)
    found = await reader.rows("cycles", after, limit + 1, MAX_BYTES)
    limit = fitting(found, limit)
    items = tuple(
        Cycle(members=tuple(record["members"]), rows=record["rows"], since=record["since"])
        for record in found[:limit]
    )
    return Page(items=items, next=items[-1].members[0] if len(found) > limit else None)


async def refused_rows(
    reader: Reader, *, limit: int = DEFAULT_LIMIT, after: Cursor | None = None
) -> Page[RefusedRow]:
    """Rows that PostgreSQL lets no writer change, by the time of the first refusal."""
    limit, position = at_most(limit), after or OLDEST
    found = await reader.rows("refused_rows", position.at, position.row, limit + 1)
    return page_of(found, limit, _refused_row)


async def _row_conflicts(reader: Reader, query: str, limit: int, after: Cursor | None) -> Page[RowConflict]:
    limit, position = at_most(limit), after or OLDEST
    found = await reader.rows(query, position.at, position.row, limit + 1)
    return page_of(found, limit, _row_conflict)


def _row_conflict(record: Row) -> RowConflict:
    return struct_of(
        RowConflict,
        record,
        row=record["id"],
        time=record["created_at"],
        job=record["job_id"],
        root_job=record["root_job_id"],
        origin=origin_of(record["origin"]),
        cursor=str(position_of(record)),
    )


def _refused_row(record: Row) -> RefusedRow:
    return struct_of(
        RefusedRow,
        record,
        row=record["id"],
        since=record["created_at"],
        job=record["job_id"],
        root_job=record["root_job_id"],
        origin=origin_of(record["origin"]),
        cursor=str(position_of(record)),
    )
