"""Events as producers say them: keyword arguments in, one event an entity out, its job filled in."""

from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple, TypedDict, TypeVar, Unpack
from uuid import UUID

import msgspec

from llamalog_schemas.codec import decode_event, encode
from llamalog_schemas.errors import InvalidMessageError, InvalidReason
from llamalog_schemas.events import (
    EntityCached,
    EntityCorrected,
    EntityCreated,
    EntityData,
    EntityEnriched,
    EntityFailed,
    EntityLinked,
    Event,
    FailureData,
    Status,
)
from llamalog_schemas.keys import lineage_key
from llamalog_schemas.producer.details import Details, EntityTypeName, Id
from llamalog_schemas.producer.ids import new_event_id
from llamalog_schemas.producer.job import Job, at_work_on, here
from llamalog_schemas.producer.warn import warn_of_unknown_root

Kind = TypeVar("Kind", EntityCreated, EntityLinked, EntityEnriched, EntityCorrected, EntityCached)


class Prepared(NamedTuple):
    """An event that is known to be valid, with its bytes and its Kafka key."""

    event: Event
    key: bytes
    value: bytes


def prepare(event: Event) -> Prepared:
    """The event as the service will read it.

    Raises:
        InvalidMessageError: the service would refuse it; the sentence names the field.
    """
    try:
        value = encode(event)
    except Exception as error:  # whatever a caller's object does when it is asked for its parts
        raise InvalidMessageError(InvalidReason.NOT_JSON, f"the event is no JSON: {error}") from error
    valid = decode_event(value)
    return Prepared(valid, lineage_key(valid), value)


def job_to_enter(job: str | Job, parent: Job | None) -> Job:
    """The job, below its parent if it is named; else below the one at work here."""
    if isinstance(job, str):
        above = parent or here().above
        job = Job(job) if above is None else above.child(job)
    if job.parent_id is not None and job.root is None:
        warn_of_unknown_root(job.id, job.parent_id)
    return job


class Statements:
    """Makes events of one producer. Pure but for the clock, the ids and the job at work.

    Args:
        source: the producer as a URI reference, for example ``/catalogue/albums``.
    """

    def __init__(self, source: str) -> None:
        self.source = source

    def job(self, job: str | Job, *, parent: Job | None = None) -> AbstractContextManager[Job]:
        """As `LlamaLogger.job`, for who says events by an outbox."""
        return at_work_on(job_to_enter(job, parent))

    def created(
        self, entity_type: EntityTypeName, entity_id: Id, *, operation: str, **details: Unpack[Details]
    ) -> EntityCreated:
        """A new entity was persisted."""
        return self._about(EntityCreated, entity_type, entity_id, operation, details)

    def linked(
        self, entity_type: EntityTypeName, entity_id: Id, *, operation: str, **details: Unpack[Details]
    ) -> EntityLinked:
        """An existing entity was associated instead of a new one."""
        return self._about(EntityLinked, entity_type, entity_id, operation, details)

    def created_or_linked(
        self,
        entity_type: EntityTypeName,
        entity_id: Id | None = None,
        *,
        existing: Id | bool | None,
        operation: str,
        **details: Unpack[Details],
    ) -> EntityCreated | EntityLinked:
        """The honest one of both; see `LlamaLogger.created_or_linked`.

        Raises:
            InvalidMessageError: neither an id nor an existing one is given.
        """
        linked = existing is not None and existing is not False
        about = existing if linked and not isinstance(existing, bool) else entity_id
        if about is None:
            raise InvalidMessageError(
                InvalidReason.BAD_FIELD, "`entity_id` is None: name the entity that was created or linked"
            )
        if linked:
            return self.linked(entity_type, about, operation=_of_linking(operation), **details)
        return self.created(entity_type, about, operation=operation, **details)

    def enriched(
        self, entity_type: EntityTypeName, entity_id: Id, *, operation: str, **details: Unpack[Details]
    ) -> EntityEnriched:
        """Fields were filled from an outside source."""
        return self._about(EntityEnriched, entity_type, entity_id, operation, details)

    def corrected(
        self, entity_type: EntityTypeName, entity_id: Id, *, operation: str, **details: Unpack[Details]
    ) -> EntityCorrected:
        """Somebody corrected the entity by hand."""
        return self._about(EntityCorrected, entity_type, entity_id, operation, details)

    def cached(
        self, entity_type: EntityTypeName, entity_id: Id, *, operation: str, **details: Unpack[Details]
    ) -> EntityCached:
        """An image or a cover was cached."""
        return self._about(EntityCached, entity_type, entity_id, operation, details)

    def failed(
        self,
        entity_type: EntityTypeName,
        entity_id: Id | None = None,
        *,
        operation: str,
        **details: Unpack[Details],
    ) -> EntityFailed:
        """It did not work; there may be no entity."""
        said = _data(entity_type, entity_id, operation, Status.FAILED, details)
        return EntityFailed(**self._envelope(entity_type, entity_id, details), data=FailureData(**said))

    def _about(
        self,
        kind: type[Kind],
        entity_type: EntityTypeName,
        entity_id: Id,
        operation: str,
        details: Details,
    ) -> Kind:
        said = _data(entity_type, entity_id, operation, Status.SUCCESS, details)
        return kind(**self._envelope(entity_type, entity_id, details), data=EntityData(**said))

    def _envelope(self, entity_type: EntityTypeName, entity_id: Id | None, details: Details) -> "_Envelope":
        event_id = details.get("event_id")
        return {
            "specversion": "1.0",
            "id": new_event_id() if event_id is None else _plain_id(event_id),
            "source": self.source,
            "subject": None if entity_id is None else f"{_text(entity_type)}/{_text(entity_id)}",
            "time": details.get("time") or datetime.now(UTC),
        }


class _Envelope(TypedDict):
    specversion: Literal["1.0"]
    id: str
    source: str
    subject: str | None
    time: datetime


_OF_THE_ENVELOPE: Final = ("event_id", "time")


def _data(
    entity_type: EntityTypeName, entity_id: Id | None, operation: str, status: Status, details: Details
) -> dict[str, Any]:
    """The fields of `data`, not yet checked: `prepare` checks them as the service does."""
    data: dict[str, Any] = {
        "entity_type": entity_type,
        "entity_id": entity_id,
        "operation": operation,
        "status": status,
        **details,
    }
    for name in _OF_THE_ENVELOPE:
        data.pop(name, None)
    data.update(_said_by(details))
    return data


def _said_by(details: Details) -> dict[str, str | None]:
    """The job, parent and root of an event: as named, else of the job at work."""
    job, above = here()
    named, parent = details.get("job_id"), details.get("parent_job_id")
    root = details.get("root_job_id")
    if parent is not None:
        own = Job(named or "", parent, above.root if above is not None and above.id == parent else None)
    elif named is not None:
        own = Job(named) if above is None else above.child(named)
    elif job is not None:
        return {"job_id": job.id, "parent_job_id": job.parent_id, "root_job_id": root or job.root_id}
    elif above is not None:
        own = Job("", above.id, above.root)
    else:
        return {"root_job_id": root}
    root = root or own.root_id
    if own.parent_id is not None and root is None:
        warn_of_unknown_root(named, own.parent_id)
    return {"job_id": named, "parent_job_id": own.parent_id, "root_job_id": root}


def _of_linking(operation: str) -> str:
    """``artist:created:enrichment`` → ``artist:linked:enrichment``; what is no text stays, to be refused."""
    if not isinstance(operation, str):
        return operation
    return ":".join("linked" if word == "created" else word for word in operation.split(":"))


def _plain_id(value: Id) -> str:
    return str(value) if isinstance(value, UUID) else value


def _text(value: Id | EntityTypeName) -> str:
    """For people; objects that can't be asked for their text may be said, to be refused."""
    return str(value) if isinstance(value, str | UUID) else "?"


def plain(value: object) -> Any:
    """What JSON can hold of a value; what it can't is told as text."""
    return msgspec.to_builtins(value, enc_hook=str)
