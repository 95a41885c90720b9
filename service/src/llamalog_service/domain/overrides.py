"""A new decree about a job: that it counts as a root although it was never seen, or no longer does."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from llamalog_schemas.codec import decode_event, encode
from llamalog_schemas.errors import InvalidMessageError
from llamalog_schemas.events import RootAdopted, RootAdoptionRevoked, RootDecree, RootDecreeData
from llamalog_service.domain.errors import LlamalogError

_SOURCE = "/llamalog/cli"
_TICK = timedelta(milliseconds=1)


class DecreeInvalidError(LlamalogError):
    """What was asked for is no decree by the contract."""

    def __init__(self, sentence: str) -> None:
        super().__init__(f"That is no decree: {sentence}. Nothing was published.")


class JobSeenError(LlamalogError):
    """A decree about a job whose own events have been seen would have no effect."""

    def __init__(self, job: str, since: datetime) -> None:
        super().__init__(
            f"The job {job} has been seen: its earliest event is of {since:%Y-%m-%d %H:%M:%S} UTC. "
            "A decree is about jobs whose own events never came; about this one it has no effect, and an "
            "adoption that there was has lapsed. Nothing was published."
        )


def new_decree(
    kind: type[RootAdopted] | type[RootAdoptionRevoked],
    job: str,
    *,
    reason: str,
    requested_by: str,
    now: datetime,
    latest: datetime | None,
) -> RootDecree:
    """A decree that counts from now on.

    Args:
        latest: the time of the decree that counts so far, UTC without a zone: of several the latest counts,
            so that a clock that runs behind must not make the new one void.

    Raises:
        DecreeInvalidError: the contract refuses it, or it gives no reason.
    """
    if not reason.strip():
        raise DecreeInvalidError("it gives no reason")
    time = now if latest is None else max(now, latest.replace(tzinfo=UTC) + _TICK)
    data = RootDecreeData(job_id=job, reason=reason, requested_by=requested_by)
    decree = kind(id=str(uuid4()), source=_SOURCE, time=time, specversion="1.0", subject=job, data=data)
    try:
        decode_event(encode(decree))
    except InvalidMessageError as invalid:
        raise DecreeInvalidError(invalid.sentence) from invalid
    return decree
