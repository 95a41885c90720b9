"""A row of the log: the columns that come from its event itself, and the row as the table has it.

The former is the *content* of a row. Two events with one id and equal content are duplicates.
What follows from other rows (root, origin, cycle, conflict) is in `roots` and `fold`.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, overload
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from llamalog_schemas.events import (
    Category,
    DataQuality,
    EntityEvent,
    EntityType,
    LegacyRow,
    RowEvent,
    Status,
    is_legacy_row,
    row_id,
)
from llamalog_schemas.limits import JsonObject
from llamalog_service import kernels
from llamalog_service.domain.legacy import LegacyContent, legacy_content_of
from llamalog_service.domain.lineage import Root

OTHER_JSON: Final[JsonObject] = {}
"""In place of the metadata of a row of the table, by identity: another JSON than any that is at hand."""


class RowContent(Struct, frozen=True, gc=False):
    """The columns of ``llama_logs`` that come from the event, named as in the table.

    ``created_at`` is UTC without a zone, cut to the millisecond. ``producer`` is the event's source: None
    in a row that was recorded before producers were, and in a legacy row. Two events that differ in
    ``traceparent`` alone are equal.
    """

    id: UUID
    entity_type: EntityType | None
    entity_id: UUID | None
    artist_id: UUID | None
    album_id: UUID | None
    track_id: UUID | None
    operation: str
    category: Category
    sources: tuple[str, ...]
    status: Status
    reason: str | None
    fields_enriched: tuple[str, ...]
    data_quality_before: DataQuality | None
    data_quality_after: DataQuality | None
    error_message: str | None
    error_code: str | None
    retry_count: int | None
    duration_ms: int | None
    api_call_count: int | None
    metadata: JsonObject | None
    preview_data: JsonObject | None
    job_id: str | None
    parent_job_id: str | None
    is_root_job: bool
    triggered_by: str | None
    user_id: str | None
    created_at: datetime
    declared_root_job_id: str | None
    producer: str | None
    traceparent: str | None


Content = RowContent | LegacyContent
"""The content of a row, from an entity event or from the event of a legacy row."""


class StoredRow(Struct, frozen=True, gc=False):
    """A row of the log as stored.

    ``is_legacy``: it existed before its event, whether or not one was published since. ``erased``: a person
    was erased from it. ``retracted``: its event was taken back.
    """

    content: RowContent
    root: Root
    revision: int
    recorded_at: datetime
    is_legacy: bool = False
    erased: bool = False
    retracted: bool = False


@overload
def content_of(event: EntityEvent) -> RowContent: ...


@overload
def content_of(event: LegacyRow) -> LegacyContent: ...


def content_of(event: RowEvent) -> Content:
    """The content of the row that an event becomes."""
    if is_legacy_row(event):
        return legacy_content_of(event)
    if kernels.compiled is not None:
        values: tuple[Any, ...] | None = kernels.compiled.content_values(event)
        if values is not None:
            return RowContent(*values)
    return content_of_entity(event)


def content_of_entity(event: EntityEvent) -> RowContent:
    """The same of an entity event, in Python.

    The id column of the entity's own type follows from ``entityId`` where the event leaves it out.
    """
    data = event.data
    entity_type = data.entity_type
    entity_id = data.entity_id
    artist_id, album_id, track_id = data.artist_id, data.album_id, data.track_id
    if entity_type is EntityType.TRACK:
        track_id = track_id or entity_id
    elif entity_type is EntityType.ALBUM:
        album_id = album_id or entity_id
    else:
        artist_id = artist_id or entity_id
    return RowContent(
        row_id(event),
        entity_type,
        entity_id,
        artist_id,
        album_id,
        track_id,
        data.operation,
        event.category,
        data.sources,
        data.status,
        data.reason,
        data.fields_enriched,
        data.data_quality_before,
        data.data_quality_after,
        data.error_message,
        data.error_code,
        data.retry_count,
        data.duration_ms,
        data.api_call_count,
        data.metadata,
        data.preview_data,
        data.job_id,
        data.parent_job_id,
        data.job_id is not None and data.parent_job_id is None,
        data.triggered_by,
        data.user_id,
        utc_milliseconds(event.time),
        data.root_job_id,
        event.source,
        event.traceparent,
    )


def utc_milliseconds(time: datetime) -> datetime:
    """An aware time as the table keeps it: UTC without a zone, cut (not rounded) to the millisecond."""
    if time.tzinfo is not UTC:
        time = time.astimezone(UTC)
    naive = datetime.combine(time, time.time())  # as replace(tzinfo=None) does, five times as fast
    finer = naive.microsecond % 1000
    return naive - timedelta(microseconds=finer) if finer else naive


_CONTENT_WIDTH: Final = len(RowContent.__struct_fields__)
_STORED_WIDTH: Final = _CONTENT_WIDTH + len(Root.__struct_fields__) + 5  # revision, time, is_legacy, …


def stored_row(record: Mapping[str, Any]) -> StoredRow:
    """A row as `{stored}` selects it: content, root, and the other fields, in the order of `StoredRow`.

    What is selected behind these is passed over.

    A legacy row may hold more than the types allow: labels that no enum of the contract has,
    JSON that is no object, texts that are NULL.
    """
    values = list(record.values())
    content = RowContent(*values[:_CONTENT_WIDTH])
    content = replace(
        content,
        sources=_texts(content.sources),
        fields_enriched=_texts(content.fields_enriched),
        is_root_job=bool(content.is_root_job),
    )
    root_job_id, origin, cycle_members, parent_conflict, *others = values[_CONTENT_WIDTH:_STORED_WIDTH]
    members = tuple(cycle_members) if cycle_members is not None else None
    return StoredRow(content, Root(root_job_id, origin, members, parent_conflict), *others)


def _texts(value: Any) -> tuple[str, ...]:
    """A text[] of any dimension, in one."""
    texts = tuple(value or ())
    while texts and isinstance(texts[0], list):
        texts = tuple(text for inner in texts for text in inner)
    return texts
