"""Events of a producer: made from keyword arguments, with the ids of the current job, and validated."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from os import urandom
from time import time_ns
from typing import Any, Final, Literal, NamedTuple, TypedDict, TypeVar, Unpack
from uuid import UUID

import msgspec

from llamalog_schemas.codec import decode_event, encode
from llamalog_schemas.errors import InvalidMessageError, InvalidReason
from llamalog_schemas.events import (
    DataQuality,
    EntityCached,
    EntityCorrected,
    EntityCreated,
    EntityData,
    EntityEnriched,
    EntityFailed,
    EntityLinked,
    EntityType,
    Event,
    FailureData,
    Status,
    TracedEvent,
    lineage_key,
)
from llamalog_schemas.producer.job import (
    Job,
    check_job,
    current_context,
    enter_job,
    job_to_enter,
    plain_id,
    warn_about_unknown_root,
)
from llamalog_schemas.producer.personal_data import warn_about_mail_address
from llamalog_schemas.producer.tracing import current_traceparent

_NANOSECONDS_PER_MILLISECOND: Final = 1_000_000

EntityTypeName = EntityType | Literal["ALBUM", "ARTIST", "TRACK"]
StatusName = (
    Status
    | Literal[
        "SUCCESS",
        "PARTIAL_SUCCESS",
        "FAILED",
        "NO_DATA_AVAILABLE",
        "SKIPPED",
        "PREVIEW",
        "PENDING",
        "QUEUED",
        "IN_PROGRESS",
        "COMPLETED",
    ]
)
QualityName = DataQuality | Literal["LOW", "MEDIUM", "HIGH"]
Id = UUID | str
"""A UUID, or the text of one."""


class Details(TypedDict, total=False):
    """Fields of an event beside its entity and operation; the names are those of the contract.

    `job_id`, `parent_job_id` and `root_job_id` come from the current job; a `job_id` given alone
    becomes a child of it. `time` (default: now) is when it happened, with a zone. The same `event_id`
    (default: a new UUIDv7) with the same content, `time` included, is a duplicate and harmless.
    `traceparent` (default: that of the current OpenTelemetry span) leads from the row to a trace.
    """

    status: StatusName
    album_id: Id | None
    artist_id: Id | None
    track_id: Id | None
    sources: Sequence[str]
    reason: str | None
    fields_enriched: Sequence[str]
    data_quality_before: QualityName | None
    data_quality_after: QualityName | None
    error_message: str | None
    error_code: str | None
    retry_count: int | None
    duration_ms: int | None
    api_call_count: int | None
    metadata: Mapping[str, Any] | None
    preview_data: Mapping[str, Any] | None
    job_id: Id | None
    parent_job_id: Id | None
    root_job_id: Id | None
    triggered_by: str | None
    user_id: str | None
    time: datetime
    event_id: Id
    traceparent: str | None


Kind = TypeVar("Kind", EntityCreated, EntityLinked, EntityEnriched, EntityCorrected, EntityCached)


class Prepared(NamedTuple):
    """A valid event with its Kafka key and value."""

    event: Event
    key: bytes
    value: bytes


def prepare(event: Event) -> Prepared:
    """Validate an event as the service will.

    Raises:
        InvalidMessageError: the service would refuse it; the sentence names the field.
    """
    try:
        value = encode(event)
    except Exception as error:  # objects of the caller may raise anything
        raise InvalidMessageError(InvalidReason.NOT_JSON, f"the event is no JSON: {error}") from error
    try:
        valid = decode_event(value)
    except InvalidMessageError as error:
        sentence = _sentence_about(event)
        if sentence is None:
            raise
        raise InvalidMessageError(InvalidReason.BAD_FIELD, sentence) from error
    if isinstance(valid, TracedEvent) and valid.traceparent is None and _is_traced(event):
        raise InvalidMessageError(InvalidReason.BAD_FIELD, _MALFORMED_TRACEPARENT)
    return Prepared(valid, lineage_key(valid), value)


_MALFORMED_TRACEPARENT: Final = (
    "`traceparent` is not of the form version-trace-span-flags in lower-case hexadecimal digits, for example "
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01; leave it out to publish that of the current "
    "OpenTelemetry span"
)


def _is_traced(event: Any) -> bool:
    return getattr(event, "traceparent", None) is not None


class RefusedJob(NamedTuple):
    """In the place of a job's id: the contract refuses the current job, and so each of its events."""

    sentence: str


def _sentence_about(event: Any) -> str | None:
    """The fault of an event, in the words of its caller; None: the decoder says it."""
    data = getattr(event, "data", None)
    job = getattr(data, "job_id", None)
    if isinstance(job, RefusedJob):
        return job.sentence
    if isinstance(data, EntityData) and data.entity_id is None:
        return "`entity_id` is None: name the entity that was created or linked"
    return None


class EventFactory:
    """Makes events of one producer. Pure but for the clock, the ids and the current job.

    Args:
        source: the producer as a URI reference, for example ``/catalogue/albums``.
    """

    def __init__(self, source: str) -> None:
        self.source = source

    def job(self, job: Id | Job, *, parent: Job | Id | None = None) -> AbstractContextManager[Job]:
        """As `LlamaLogger.job`, for events that go through an outbox."""
        entered = job_to_enter(job, parent)
        check_job(entered)
        return enter_job(entered)

    def created(
        self, entity_type: EntityTypeName, entity_id: Id, *, operation: str, **details: Unpack[Details]
    ) -> EntityCreated:
        """A new entity was persisted."""
        return self._event(EntityCreated, entity_type, entity_id, operation, details)

    def linked(
        self, entity_type: EntityTypeName, entity_id: Id, *, operation: str, **details: Unpack[Details]
    ) -> EntityLinked:
        """An existing entity was associated instead of a new one."""
        return self._event(EntityLinked, entity_type, entity_id, operation, details)

    def created_or_linked(
        self,
        entity_type: EntityTypeName,
        entity_id: Id | None = None,
        *,
        existing: Id | bool | None,
        operation: str,
        **details: Unpack[Details],
    ) -> EntityCreated | EntityLinked:
        """`linked` if the entity existed, else `created`; see `LlamaLogger.created_or_linked`."""
        linked = existing is not None and existing is not False
        about: Any = existing if linked and not isinstance(existing, bool) else entity_id
        if linked:
            return self.linked(entity_type, about, operation=_linking_operation(operation), **details)
        return self.created(entity_type, about, operation=operation, **details)

    def enriched(
        self, entity_type: EntityTypeName, entity_id: Id, *, operation: str, **details: Unpack[Details]
    ) -> EntityEnriched:
        """Fields were filled from an outside source."""
        return self._event(EntityEnriched, entity_type, entity_id, operation, details)

    def corrected(
        self, entity_type: EntityTypeName, entity_id: Id, *, operation: str, **details: Unpack[Details]
    ) -> EntityCorrected:
        """A person corrected the entity by hand."""
        return self._event(EntityCorrected, entity_type, entity_id, operation, details)

    def cached(
        self, entity_type: EntityTypeName, entity_id: Id, *, operation: str, **details: Unpack[Details]
    ) -> EntityCached:
        """An image or a cover was cached."""
        return self._event(EntityCached, entity_type, entity_id, operation, details)

    def failed(
        self,
        entity_type: EntityTypeName,
        entity_id: Id | None = None,
        *,
        operation: str,
        **details: Unpack[Details],
    ) -> EntityFailed:
        """An operation failed; there may be no entity."""
        data = _data(entity_type, entity_id, operation, Status.FAILED, details)
        return EntityFailed(**self._envelope(entity_type, entity_id, details), data=FailureData(**data))

    def _event(
        self,
        kind: type[Kind],
        entity_type: EntityTypeName,
        entity_id: Id,
        operation: str,
        details: Details,
    ) -> Kind:
        data = _data(entity_type, entity_id, operation, Status.SUCCESS, details)
        return kind(**self._envelope(entity_type, entity_id, details), data=EntityData(**data))

    def _envelope(self, entity_type: EntityTypeName, entity_id: Id | None, details: Details) -> "_Envelope":
        event_id, traceparent = details.get("event_id"), details.get("traceparent")
        return {
            "specversion": "1.0",
            "id": new_event_id() if event_id is None else plain_id(event_id),
            "source": self.source,
            "subject": None if entity_id is None else f"{_text(entity_type)}/{_text(entity_id)}",
            "time": details.get("time") or datetime.now(UTC),
            "traceparent": current_traceparent() if traceparent is None else traceparent,
        }


class _Envelope(TypedDict):
    specversion: Literal["1.0"]
    id: str
    source: str
    subject: str | None
    time: datetime
    traceparent: str | None


_ENVELOPE_FIELDS: Final = ("event_id", "time", "traceparent")


def _data(
    entity_type: EntityTypeName, entity_id: Id | None, operation: str, status: Status, details: Details
) -> dict[str, Any]:
    """The fields of `data`, not yet validated: `prepare` does that."""
    data: dict[str, Any] = {
        "entity_type": entity_type,
        "entity_id": entity_id,
        "operation": operation,
        "status": status,
        **details,
    }
    for name in _ENVELOPE_FIELDS:
        data.pop(name, None)
    data.update(_lineage_of(details))
    warn_about_mail_address(details.get("user_id"))
    return data


def _lineage_of(details: Details) -> dict[str, Any]:
    """The job, parent and root of an event: as given, else of the current job."""
    job, above, fault = current_context()
    named, parent, root = details.get("job_id"), details.get("parent_job_id"), details.get("root_job_id")
    if named is None and parent is None and root is None and job is not None and fault is None:
        return {"job_id": job.id, "parent_job_id": job.parent_id, "root_job_id": job.root_id}
    named, parent, root = (None if id_ is None else plain_id(id_) for id_ in (named, parent, root))
    if fault is not None and parent is None:
        return {"job_id": RefusedJob(fault)}
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
    if root is None and isinstance(own.parent_id, str) and isinstance(named, str | None):
        warn_about_unknown_root(named, own.parent_id)  # any other value is refused by `prepare`
    return {"job_id": named, "parent_job_id": own.parent_id, "root_job_id": root}


def _linking_operation(operation: str) -> str:
    """``artist:created:…`` → ``artist:linked:…``; any value but a text is left to `prepare`."""
    if not isinstance(operation, str):
        return operation
    return ":".join("linked" if word == "created" else word for word in operation.split(":"))


def _text(value: Id | EntityTypeName) -> str:
    """A text for people; other objects are left to `prepare`, which refuses them."""
    return str(value) if isinstance(value, str | UUID) else "?"


def plain(value: object) -> Any:
    """A value as JSON can hold it; anything else becomes text."""
    return msgspec.to_builtins(value, enc_hook=str)


def new_event_id() -> str:
    """A UUIDv7 as text: milliseconds since 1970, their fraction in 12 bits, 62 random bits (RFC 9562)."""
    milliseconds, rest = divmod(time_ns(), _NANOSECONDS_PER_MILLISECOND)
    fraction = (rest << 12) // _NANOSECONDS_PER_MILLISECOND
    random = int.from_bytes(urandom(8)) & 0x3FFF_FFFF_FFFF_FFFF
    text = f"{milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0x8 << 60 | random:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
