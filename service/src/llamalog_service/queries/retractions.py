"""The retraction of a row as it stands: what a new one, and a page about the row, has to know."""

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from llamalog_service.postgres.reader import Reader
from llamalog_service.postgres.statements import Row


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
