"""Retractions: an event is taken back, in whatever order the two arrive; its row stays and states nothing."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from llamalog_schemas.events import EventRetracted, RetractionEvent, row_id
from llamalog_service.domain.rows import utc_milliseconds


class Retraction(NamedTuple):
    """One retraction, or its revocation, as kept in `retractions`; of several of a row the latest counts."""

    id: UUID
    row_id: UUID
    retracted: bool
    reason: str
    requested_by: str
    retracted_at: datetime


def retraction_of(event: RetractionEvent) -> Retraction:
    """The retraction, or the revocation, that an event states."""
    return Retraction(
        row_id(event),
        event.data.row_id,
        isinstance(event, EventRetracted),
        event.data.reason,
        event.data.requested_by,
        utc_milliseconds(event.time),
    )


def retracted_rows(retractions: Iterable[Retraction]) -> frozenset[UUID]:
    """The ids of the rows whose latest retraction, by time and id, is not a revocation."""
    latest: dict[UUID, tuple[datetime, UUID, bool]] = {}
    for one in retractions:
        statement = (one.retracted_at, one.id, one.retracted)
        latest[one.row_id] = max(statement, latest.get(one.row_id, statement))
    return frozenset(row for row, (_, _, retracted) in latest.items() if retracted)
