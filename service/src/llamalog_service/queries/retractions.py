"""Retractions of rows: what a new one has to know, and what explanations and pages state."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from llamalog_service.postgres.reader import Reader
from llamalog_service.postgres.statements import Row
from llamalog_service.queries.rows import MAX_TEXT, LogRow, cut, struct_of

MAX_REASON: Final = 2_000
"""Characters of a reason in an explanation; an event, and so its reason, may have a megabyte."""

WHOLE: Final = 2**30
"""More characters than any reason has."""


class LatestRetraction(Struct, frozen=True, kw_only=True, rename="camel"):
    """The retraction or revocation of a row that counts.

    Attributes:
        retracted: False of a revocation.
        at: since when it counts, UTC.
    """

    retracted: bool
    reason: str
    requested_by: str
    at: datetime


class RetractableRow(Struct, frozen=True, kw_only=True):
    """A row that may be retracted.

    Attributes:
        operation: None: no row of this id is in the log.
        producer: None of a legacy row, and of one recorded before producers were.
        latest: None: it was never retracted.
    """

    operation: str | None
    producer: str | None
    latest: LatestRetraction | None


async def read_retractable_row(reader: Reader, row: UUID) -> RetractableRow:
    """A row's producer and its retraction; a row that is not in the log may have one, too."""
    (record,) = await reader.rows("retractable_row", row)
    return RetractableRow(
        operation=record["operation"] if record["is_recorded"] else None,
        producer=record["producer"],
        latest=_latest(record),
    )


def _latest(record: Row) -> LatestRetraction | None:
    if record["retracted_at"] is None:
        return None
    return LatestRetraction(
        retracted=record["retracted"],
        reason=record["reason"],
        requested_by=record["requested_by"],
        at=record["retracted_at"],
    )


class StatedRetraction(Struct, frozen=True, kw_only=True, rename="camel"):
    """The retraction of an event.

    Attributes:
        at: its time, UTC.
        reason: of a long one the beginning.
    """

    id: UUID
    at: datetime
    reason: str
    requested_by: str


Retractions = Mapping[UUID, StatedRetraction]
"""Retractions by the ids of their rows."""


async def read_retractions(
    reader: Reader, rows: Iterable[LogRow], as_of: datetime | None = None, *, most: int = MAX_TEXT
) -> Retractions:
    """The latest retraction of each of the rows that are retracted: no query, if none is.

    Args:
        as_of: only what was recorded by then counts, as it does in rows as of a time.
        most: characters of each reason.
    """
    retracted = {row.id for row in rows if row.retracted}
    return await read_retractions_of(reader, retracted, as_of, most=most) if retracted else {}


async def read_retractions_of(
    reader: Reader, rows: Iterable[UUID], as_of: datetime | None = None, *, most: int = MAX_REASON
) -> Retractions:
    """The latest retraction of each of the rows; a row that none names is missing."""
    found = await reader.rows("retractions_of", sorted(rows), as_of, most + 1)
    return {
        record["row_id"]: struct_of(StatedRetraction, record, reason=cut(record["reason"], most))
        for record in found
    }
