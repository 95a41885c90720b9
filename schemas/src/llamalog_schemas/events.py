"""Entity events of producers, overrides of operators, and legacy rows.

Every message is a CloudEvents 1.0 event. The class of an event is its CloudEvents
``type``; a published type is never edited, a change of meaning gets a new version.
"""

from enum import StrEnum
from hashlib import sha256
from typing import Any, ClassVar, Final, Literal
from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec
from msgspec import Struct, field
from typing_extensions import TypeIs

from llamalog_schemas.legacy import LegacyRowData
from llamalog_schemas.limits import (
    Count,
    ErasedMark,
    ErrorCode,
    EventId,
    EventSource,
    FieldNames,
    JobId,
    JsonObject,
    MetadataKeys,
    Moment,
    Operation,
    ParentJobId,
    RootJobId,
    SourceNames,
    Traceparent,
    TriggeredBy,
    UserDigest,
    UserId,
)

_UUID_LENGTH: Final = 36


class EntityType(StrEnum):
    """The kinds of entity that the catalogue holds."""

    ALBUM = "ALBUM"
    ARTIST = "ARTIST"
    TRACK = "TRACK"


class Category(StrEnum):
    """The kind of change; it follows from the event's type."""

    CREATED = "CREATED"
    LINKED = "LINKED"
    ENRICHED = "ENRICHED"
    CORRECTED = "CORRECTED"
    CACHED = "CACHED"
    FAILED = "FAILED"


class Status(StrEnum):
    """The outcome of the operation; a closed list."""

    SUCCESS = "SUCCESS"
    PARTIAL_SUCCESS = "PARTIAL_SUCCESS"
    FAILED = "FAILED"
    NO_DATA_AVAILABLE = "NO_DATA_AVAILABLE"
    SKIPPED = "SKIPPED"
    PREVIEW = "PREVIEW"
    PENDING = "PENDING"
    QUEUED = "QUEUED"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"


class DataQuality(StrEnum):
    """The quality of an entity's data."""

    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"


class _OperationData(
    Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    rename="camel",
    gc=False,
):
    """The fields of every entity event, the entity itself left to the two classes below."""

    operation: Operation
    status: Status
    album_id: UUID | None = None
    artist_id: UUID | None = None
    track_id: UUID | None = None
    sources: SourceNames = ()
    reason: str | None = None
    fields_enriched: FieldNames = ()
    data_quality_before: DataQuality | None = None
    data_quality_after: DataQuality | None = None
    error_message: str | None = None
    error_code: ErrorCode | None = None
    retry_count: Count | None = None
    duration_ms: Count | None = None
    api_call_count: Count | None = None
    metadata: JsonObject | None = None
    preview_data: JsonObject | None = None
    job_id: JobId | None = None
    parent_job_id: ParentJobId | None = None
    root_job_id: RootJobId | None = None
    triggered_by: TriggeredBy | None = None
    user_id: UserId | None = None


class EntityData(_OperationData, frozen=True, kw_only=True, gc=False):
    """The ``data`` of an event about an entity that exists."""

    entity_type: EntityType
    entity_id: UUID


class FailureData(_OperationData, frozen=True, kw_only=True, gc=False):
    """The ``data`` of a failure: the entity may never have been created."""

    entity_type: EntityType
    entity_id: UUID | None = None


class RootOverrideData(
    Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    rename="camel",
    gc=False,
):
    """The ``data`` of an operator's override of the root of a job that was never seen."""

    job_id: JobId
    reason: str
    requested_by: UserId


class UserErasedData(
    Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    rename="camel",
    gc=False,
):
    """The ``data`` of the erasure of a person: no field holds the id by which producers knew the person."""

    user_digest: UserDigest
    metadata_keys: MetadataKeys = ()
    reason: str
    requested_by: UserId


class RetractionData(
    Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    rename="camel",
    gc=False,
):
    """The ``data`` of the retraction of an event: ``rowId`` is the id of the row that the event becomes."""

    row_id: UUID
    reason: str
    requested_by: UserId


class CloudEvent(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", gc=False):
    """The CloudEvents 1.0 attributes that every message bears; other attributes are opaque.

    ``subject`` is written by producers for people and is never checked.
    """

    id: EventId
    source: EventSource
    time: Moment
    specversion: Literal["1.0"]
    subject: Any = None


class TracedEvent(CloudEvent, frozen=True, kw_only=True, gc=False):
    """The attributes of an entity event: beside those of every message the distributed trace's.

    A decoded event has a well-formed ``traceparent`` or none, and is marked as erased by True or not at all.
    """

    traceparent: Traceparent = None
    erased: ErasedMark = field(default=None, name="llamalogerased")


class EntityCreated(TracedEvent, frozen=True, kw_only=True, tag="llamalog.entity-created.v1", gc=False):
    """A new entity was persisted: one event an artist, a track, an album."""

    category: ClassVar = Category.CREATED
    data: EntityData


class EntityLinked(TracedEvent, frozen=True, kw_only=True, tag="llamalog.entity-linked.v1", gc=False):
    """An existing entity was associated instead of a new one; ``entityId`` names the existing one."""

    category: ClassVar = Category.LINKED
    data: EntityData


class EntityEnriched(TracedEvent, frozen=True, kw_only=True, tag="llamalog.entity-enriched.v1", gc=False):
    """Fields were filled from an outside source."""

    category: ClassVar = Category.ENRICHED
    data: EntityData


class EntityCorrected(TracedEvent, frozen=True, kw_only=True, tag="llamalog.entity-corrected.v1", gc=False):
    """A person corrected the entity by hand."""

    category: ClassVar = Category.CORRECTED
    data: EntityData


class EntityCached(TracedEvent, frozen=True, kw_only=True, tag="llamalog.entity-cached.v1", gc=False):
    """An image or a cover was cached."""

    category: ClassVar = Category.CACHED
    data: EntityData


class EntityFailed(TracedEvent, frozen=True, kw_only=True, tag="llamalog.entity-failed.v1", gc=False):
    """An operation failed; it may have created nothing."""

    category: ClassVar = Category.FAILED
    data: FailureData


class RootAdopted(CloudEvent, frozen=True, kw_only=True, tag="llamalog.root-adopted.v1", gc=False):
    """An operator's override: a job never seen counts as a root. Published by the service itself."""

    data: RootOverrideData


class RootAdoptionRevoked(
    CloudEvent, frozen=True, kw_only=True, tag="llamalog.root-adoption-revoked.v1", gc=False
):
    """An operator revokes such an override. Published by the service itself."""

    data: RootOverrideData


class UserErased(CloudEvent, frozen=True, kw_only=True, tag="llamalog.user-erased.v1", gc=False):
    """A person is erased from the rows of all events, past and to come. Published by the service itself."""

    data: UserErasedData


class EventRetracted(CloudEvent, frozen=True, kw_only=True, tag="llamalog.event-retracted.v1", gc=False):
    """An event is taken back: its row stays and claims nothing. Published by the service itself."""

    data: RetractionData


class EventRetractionRevoked(
    CloudEvent, frozen=True, kw_only=True, tag="llamalog.event-retraction-revoked.v1", gc=False
):
    """A retraction is revoked: the event counts again. Published by the service itself."""

    data: RetractionData


class LegacyRow(CloudEvent, frozen=True, kw_only=True, tag="llamalog.legacy-row.v1", gc=False):
    """A row that was in the table before events existed, verbatim. Published by the service itself.

    Its ``id`` is the row's; its ``time`` the row's, or the nearest that an event may have.
    """

    data: LegacyRowData
    erased: ErasedMark = field(default=None, name="llamalogerased")


EntityEvent = EntityCreated | EntityLinked | EntityEnriched | EntityCorrected | EntityCached | EntityFailed
RootOverrideEvent = RootAdopted | RootAdoptionRevoked
RetractionEvent = EventRetracted | EventRetractionRevoked
OverrideEvent = RootOverrideEvent | UserErased | RetractionEvent
"""An operator's statement, on the topic of overrides."""
RowEvent = EntityEvent | LegacyRow
"""Becomes a row."""
Event = RowEvent | OverrideEvent

_ROOT_OVERRIDES = frozenset({RootAdopted, RootAdoptionRevoked})
_RETRACTIONS = frozenset({EventRetracted, EventRetractionRevoked})
_OVERRIDES = _ROOT_OVERRIDES | _RETRACTIONS | {UserErased}
_USER_PREFIX: Final = "llamalog-user:"


def is_override(event: Event) -> TypeIs[OverrideEvent]:
    """Whether an event is an operator's override rather than becoming a row."""
    return type(event) in _OVERRIDES  # isinstance goes through ABCMeta, which shows in the hot path


def is_root_override(event: Event) -> TypeIs[RootOverrideEvent]:
    """Whether an event overrides the root of a job."""
    return type(event) in _ROOT_OVERRIDES


def is_retraction(event: Event) -> TypeIs[RetractionEvent]:
    """Whether an event takes another event back, or revokes that."""
    return type(event) in _RETRACTIONS


def is_erased(event: RowEvent) -> bool:
    """Whether a decoded event was rewritten without the person whose id it bore."""
    return event.erased is True


def user_digest(user_id: str) -> str:
    """The digest by which an erasure names a person: SHA-256 of a prefix and the id, in hex digits."""
    return sha256(f"{_USER_PREFIX}{user_id}".encode()).hexdigest()


def is_legacy_row(event: Event) -> TypeIs[LegacyRow]:
    """Whether an event carries a row that was in the table before events existed."""
    return type(event) is LegacyRow


def row_id(event: Event) -> UUID:
    """The id of the row that an event becomes."""
    return row_id_of(event.source, event.id)


def row_id_of(source: str, event_id: str) -> UUID:
    """The id of the row that the event with this ``source`` and ``id`` becomes.

    An id in the text form of RFC 9562 (8-4-4-4-12 hexadecimal digits, either case) is that
    UUID; any other maps to ``uuid5(NAMESPACE_URL, source + "#" + id)``, and where the source itself holds a
    ``#``, to ``uuid5(uuid5(NAMESPACE_URL, source), id)``: else ``(s#x, y)`` and ``(s, x#y)`` were one row.
    """
    if len(event_id) == _UUID_LENGTH:
        try:
            return msgspec.convert(event_id, UUID)  # of this length it takes this form alone
        except msgspec.ValidationError:
            pass
    if "#" in source:
        return uuid5(uuid5(NAMESPACE_URL, source), event_id)
    return uuid5(NAMESPACE_URL, f"{source}#{event_id}")


def lineage_key(event: Event) -> bytes:
    """The Kafka key of an event: root job, else parent, else job, else entity, else its id.

    An override has its job, a retraction its row, an erasure its digest. So a lineage mostly shares a
    partition; no reader may rely on it. An event without job and entity is a failure before anything existed.
    """
    return _lineage(event).encode()


def _lineage(event: Event) -> str:
    if is_override(event):
        return _subject_of_override(event)
    return _lineage_of_legacy_row(event) if is_legacy_row(event) else _lineage_of_entity(event)


def _lineage_of_entity(event: EntityEvent) -> str:
    data = event.data
    named = data.root_job_id or data.parent_job_id or data.job_id or data.entity_id
    return event.id if named is None else str(named)


def _subject_of_override(event: OverrideEvent) -> str:
    if is_root_override(event):
        return event.data.job_id
    return str(event.data.row_id) if is_retraction(event) else event.data.user_digest


def _lineage_of_legacy_row(event: LegacyRow) -> str:
    data = event.data
    named = (data.declared_root_job_id, data.parent_job_id, data.job_id, data.entity_id, event.id)
    return next(name for name in named if name)
