"""Overrides of operators, with their effect at present, or what ended it."""

from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from msgspec import Struct

from llamalog_service.postgres.reader import Reader
from llamalog_service.postgres.statements import Row
from llamalog_service.queries.paging import DEFAULT_LIMIT, NEWEST, Cursor, Page, at_most, page_of, position_of

COUNTED: Final = 10_000
"""Rows that an override has an effect on are counted so far."""


class OverrideKind(StrEnum):
    """The decrees of operators."""

    ADOPTED = "root-adopted"
    REVOKED = "root-adoption-revoked"


class OverrideState(StrEnum):
    """The effect of an override at present, or the kind of its end."""

    IN_EFFECT = "IN_EFFECT"
    LAPSED = "LAPSED"
    REVOKED = "REVOKED"
    OVERRULED = "OVERRULED"


class Override(Struct, frozen=True, kw_only=True, rename="camel"):
    """An override of an operator.

    Attributes:
        time: since when it counts, UTC.
        recorded_at: when the log read it, or a backfill wrote it.
        in_topic: whether it was read from the topic of overrides; one that was not, a rebuild would lack.
        state: LAPSED: an event of the job was seen; REVOKED: an adoption that was taken back; OVERRULED: a
            later override about the job says the same, or adopts it again.
        rows: that have this root by it, counted to `COUNTED`; null unless it is an adoption in effect.
        ended_at: the time of the job's earliest event, or of the later override, UTC; null while in effect.
        ended_by: who requested the later override.
        cursor: to go on behind this one.
    """

    id: UUID
    kind: OverrideKind
    job: str
    reason: str
    requested_by: str
    time: datetime
    recorded_at: datetime
    in_topic: bool
    state: OverrideState
    rows: int | None
    ended_at: datetime | None
    ended_by: str | None
    cursor: str


async def read_overrides(
    reader: Reader, *, limit: int = DEFAULT_LIMIT, after: Cursor | None = None
) -> Page[Override]:
    """The overrides, the latest first."""
    limit, position = at_most(limit), after or NEWEST
    found = await reader.rows("overrides", position.at, position.row, limit + 1, COUNTED)
    return page_of(found, limit, _override)


def _override(record: Row) -> Override:
    state, ended_at = _state(record)
    return Override(
        id=record["id"],
        kind=OverrideKind.ADOPTED if record["adopted"] else OverrideKind.REVOKED,
        job=record["job_id"],
        reason=record["reason"],
        requested_by=record["requested_by"],
        time=record["created_at"],
        recorded_at=record["recorded_at"],
        in_topic=record["is_sourced"],
        state=state,
        rows=record["rows"] if state is OverrideState.IN_EFFECT else None,
        ended_at=ended_at,
        ended_by=record["later_by"],
        cursor=str(position_of(record)),
    )


def _state(record: Row) -> tuple[OverrideState, datetime | None]:
    if record["later_at"] is not None:
        is_revoked = record["adopted"] and not record["later_adopted"]
        return OverrideState.REVOKED if is_revoked else OverrideState.OVERRULED, record["later_at"]
    if record["since"] is not None:
        return OverrideState.LAPSED, record["since"]
    return OverrideState.IN_EFFECT, None
