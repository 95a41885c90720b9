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
    """The decrees of operators, and of producers about their own events."""

    ADOPTED = "root-adopted"
    REVOKED = "root-adoption-revoked"
    ERASED = "user-erased"
    RETRACTED = "event-retracted"
    RETRACTION_REVOKED = "event-retraction-revoked"


class OverrideState(StrEnum):
    """The effect of an override at present, or the kind of its end."""

    IN_EFFECT = "IN_EFFECT"
    LAPSED = "LAPSED"
    REVOKED = "REVOKED"
    OVERRULED = "OVERRULED"
    ERASING = "ERASING"
    WAITING = "WAITING"


class Override(Struct, frozen=True, kw_only=True, rename="camel"):
    """An override of an operator.

    Attributes:
        time: since when it counts, UTC.
        recorded_at: when the log read it, or a backfill wrote it.
        in_topic: whether it was read from the topic of overrides; one that was not, a rebuild would lack.
        state: LAPSED: an event of the job was seen; REVOKED: an adoption that was taken back; OVERRULED: a
            later override about the job says the same, or adopts it again; ERASING: an erasure that is not
            applied to all rows yet; WAITING: a retraction, or its revocation, that is not applied yet.
        job: null of an erasure and of a retraction.
        row: of a retraction or its revocation, the row that it is about; else null.
        user_digest: of an erasure, SHA-256 of `llamalog-user:` and the id; else null.
        metadata_keys: of an erasure, those that rows lose; else null.
        rows: that have this root by it, counted to `COUNTED`; null unless it is an adoption in effect. Of an
            erasure those that its passes over the table have erased; of a retraction 1, or 0 while no such
            row is in the log.
        ended_at: the time of the job's earliest event, or of the later override, UTC; null while in effect.
        ended_by: who requested the later override.
        cursor: to go on behind this one.
    """

    id: UUID
    kind: OverrideKind
    job: str | None
    row: UUID | None
    user_digest: str | None
    metadata_keys: tuple[str, ...] | None
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
    keys = record["metadata_keys"]
    return Override(
        id=record["id"],
        kind=_kind(record),
        job=record["job_id"],
        row=record["row_id"],
        user_digest=record["user_digest"],
        metadata_keys=None if keys is None else tuple(keys),
        reason=record["reason"],
        requested_by=record["requested_by"],
        time=record["created_at"],
        recorded_at=record["recorded_at"],
        in_topic=record["is_sourced"],
        state=state,
        rows=record["rows"] if state in (OverrideState.IN_EFFECT, OverrideState.ERASING) else None,
        ended_at=ended_at,
        ended_by=record["later_by"],
        cursor=str(position_of(record)),
    )


def _kind(record: Row) -> OverrideKind:
    if record["user_digest"] is not None:
        return OverrideKind.ERASED
    if record["row_id"] is not None:
        return OverrideKind.RETRACTED if record["adopted"] else OverrideKind.RETRACTION_REVOKED
    return OverrideKind.ADOPTED if record["adopted"] else OverrideKind.REVOKED


def _state(record: Row) -> tuple[OverrideState, datetime | None]:
    if record["user_digest"] is not None:
        return OverrideState.IN_EFFECT if record["is_applied"] else OverrideState.ERASING, None
    if record["later_at"] is not None:
        is_revoked = record["adopted"] and not record["later_adopted"]
        return OverrideState.REVOKED if is_revoked else OverrideState.OVERRULED, record["later_at"]
    if record["row_id"] is not None and not record["is_applied"]:
        return OverrideState.WAITING, None
    if record["since"] is not None:
        return OverrideState.LAPSED, record["since"]
    return OverrideState.IN_EFFECT, None
