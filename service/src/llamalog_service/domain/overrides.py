"""Overrides by operators: of the root of a job that was never seen, and all that stand on the same topic."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeVar, overload
from uuid import UUID, uuid4

from llamalog_schemas.codec import decode_event, encode
from llamalog_schemas.errors import InvalidMessageError
from llamalog_schemas.events import (
    EventRetracted,
    EventRetractionRevoked,
    OverrideEvent,
    RetractionData,
    RetractionEvent,
    RootAdopted,
    RootAdoptionRevoked,
    RootOverrideData,
    RootOverrideEvent,
    is_retraction,
    is_root_override,
    row_id,
)
from llamalog_service.domain.erasures import Erasure, erasure_of
from llamalog_service.domain.errors import LlamalogError
from llamalog_service.domain.retractions import Retraction, retraction_of
from llamalog_service.domain.rows import utc_milliseconds

_TICK = timedelta(milliseconds=1)
_Event = TypeVar("_Event", bound=OverrideEvent)


class OverrideInvalidError(LlamalogError):
    """The requested override breaks the contract."""

    def __init__(self, sentence: str) -> None:
        super().__init__(f"That is no override: {sentence}. Nothing was published.")
        self.sentence = sentence


class JobSeenError(LlamalogError):
    """An override of a job whose own events have been seen would have no effect."""

    def __init__(self, job: str, since: datetime) -> None:
        super().__init__(
            f"The job {job} has been seen: its earliest event is of {since:%Y-%m-%d %H:%M:%S} UTC. "
            "An override is for jobs whose own events never came; for this one it has no effect, and an "
            "adoption that there was has lapsed. Nothing was published."
        )


def new_override(
    kind: type[RootAdopted] | type[RootAdoptionRevoked],
    job: str,
    *,
    source: str,
    reason: str,
    requested_by: str,
    now: datetime,
    latest: datetime | None,
) -> RootOverrideEvent:
    """An override that counts from now on.

    Args:
        source: the CloudEvents source, by what requested it.
        latest: the time of the override that counts so far, UTC without a zone: of several the latest counts,
            so that a clock that runs behind must not make the new one void.

    Raises:
        OverrideInvalidError: the contract refuses it, or it gives no reason.
    """
    if not reason.strip():
        raise OverrideInvalidError("it gives no reason")
    time = now if latest is None else max(now, latest.replace(tzinfo=UTC) + _TICK)
    data = RootOverrideData(job_id=job, reason=reason, requested_by=requested_by)
    return _valid(kind(id=str(uuid4()), source=source, time=time, specversion="1.0", subject=job, data=data))


class RetractionVoidError(LlamalogError):
    """A retraction, or its revocation, that would change nothing."""

    def __init__(self, row: UUID, *, retracted: bool) -> None:
        state = "is retracted already" if retracted else "is not retracted"
        super().__init__(f"The event of the row {row} {state}. Nothing was published.")


def new_retraction(
    row: UUID,
    *,
    retracted: bool,
    source: str,
    reason: str,
    requested_by: str,
    now: datetime,
    latest: datetime | None,
) -> RetractionEvent:
    """A retraction of a row's event, or its revocation, that counts from now on.

    Args:
        source: the CloudEvents source, by what requested it.
        latest: the time of the one that counts so far, UTC, as of `new_override`.

    Raises:
        OverrideInvalidError: the contract refuses it, or it gives no reason.
    """
    if not reason.strip():
        raise OverrideInvalidError("it gives no reason")
    kind = EventRetracted if retracted else EventRetractionRevoked
    time = now if latest is None else max(now, latest + _TICK)
    data = RetractionData(row_id=row, reason=reason, requested_by=requested_by)
    event = kind(id=str(uuid4()), source=source, time=time, specversion="1.0", subject=str(row), data=data)
    return _valid(event)


class RootOverride(NamedTuple):
    """One override as kept in `root_overrides`; of several about a job the latest counts."""

    id: UUID
    job_id: str
    adopted: bool
    reason: str
    requested_by: str
    overridden_at: datetime


def event_of(override: RootOverride, source: str) -> RootOverrideEvent:
    """The event that states an override, in every publication the same.

    Raises:
        OverrideInvalidError: no event can hold it.
    """
    kind = RootAdopted if override.adopted else RootAdoptionRevoked
    data = RootOverrideData(
        job_id=override.job_id, reason=override.reason, requested_by=override.requested_by
    )
    return _valid(
        kind(
            id=str(override.id),
            source=source,
            time=override.overridden_at.replace(tzinfo=UTC),
            specversion="1.0",
            subject=override.job_id,
            data=data,
        )
    )


def _valid(event: _Event) -> _Event:
    try:
        decode_event(encode(event))
    except InvalidMessageError as invalid:
        raise OverrideInvalidError(invalid.sentence) from invalid
    return event


Override = RootOverride | Erasure | Retraction
"""What an event on the topic of overrides states."""


@overload
def override_of(event: RootOverrideEvent) -> RootOverride: ...


@overload
def override_of(event: OverrideEvent) -> Override: ...


def override_of(event: OverrideEvent) -> Override:
    """The override that an event states."""
    if is_retraction(event):
        return retraction_of(event)
    if not is_root_override(event):
        return erasure_of(event)
    return RootOverride(
        row_id(event),
        event.data.job_id,
        isinstance(event, RootAdopted),
        event.data.reason,
        event.data.requested_by,
        utc_milliseconds(event.time),
    )
