"""An entity event as a row of the log: the columns that come from the event itself.

This is the *content* of a row. Two events with one id and equal content are duplicates.
What follows from other rows (root, origin, cycle, conflict) is in `roots` and `fold`.
"""

from datetime import UTC, datetime, timedelta
from typing import Final, cast
from uuid import UUID

from msgspec import Raw, Struct

from llamalog_schemas.events import (
    Category,
    DataQuality,
    EntityEvent,
    EntityType,
    LegacyRowRecorded,
    Status,
    is_legacy_row,
)
from llamalog_schemas.keys import row_id
from llamalog_schemas.legacy import LegacyRowData
from llamalog_schemas.limits import JsonObject
from llamalog_service.domain.lineage import Root

EARLIEST_ROW: Final = datetime(1, 1, 1)
LATEST_ROW: Final = datetime(9999, 12, 31, 23, 59, 59, 999_000)
"""What times are read as that Python cannot hold: a legacy row's may lie beyond."""


class RowContent(Struct, frozen=True, gc=False):
    """The columns of ``llama_logs`` that come from the event, named as in the table.

    ``created_at`` is UTC without a zone, cut to the millisecond.
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


class StoredRow(Struct, frozen=True, gc=False):
    """A row of the log as it stands in the table."""

    content: RowContent
    root: Root
    revision: int
    recorded_at: datetime


def content_of(event: EntityEvent | LegacyRowRecorded) -> RowContent:
    """The row content of an entity event, or of a legacy row as it stands.

    The id column of the entity's own type follows from ``entityId`` where the event leaves it out.
    """
    if is_legacy_row(event):
        return legacy_content(row_id(event), event.data)
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
    )


def utc_milliseconds(time: datetime) -> datetime:
    """An aware time as the table keeps it: UTC without a zone, cut (not rounded) to the millisecond."""
    if time.tzinfo is not UTC:
        time = time.astimezone(UTC)
    naive = datetime.combine(time, time.time())  # as replace(tzinfo=None) does, five times as fast
    finer = naive.microsecond % 1000
    return naive - timedelta(microseconds=finer) if finer else naive


def legacy_content(row: UUID, data: LegacyRowData) -> RowContent:
    """A legacy row's content: its words as they are, which may be others than events can have.

    A row that calls itself a root job makes no claim. A time that Python cannot hold becomes the nearest one.
    """
    metadata, preview = data.metadata, data.preview_data
    return RowContent(
        id=row,
        entity_type=cast("EntityType | None", data.entity_type),
        entity_id=data.entity_id,
        artist_id=data.artist_id,
        album_id=data.album_id,
        track_id=data.track_id,
        operation=data.operation,
        category=cast("Category", data.category),
        sources=cast("tuple[str, ...]", data.sources),
        status=cast("Status", data.status),
        reason=data.reason,
        fields_enriched=cast("tuple[str, ...]", data.fields_enriched),
        data_quality_before=cast("DataQuality | None", data.data_quality_before),
        data_quality_after=cast("DataQuality | None", data.data_quality_after),
        error_message=data.error_message,
        error_code=data.error_code,
        retry_count=data.retry_count,
        duration_ms=data.duration_ms,
        api_call_count=data.api_call_count,
        metadata=cast("JsonObject | None", None if metadata is None else Raw(metadata.encode())),
        preview_data=cast("JsonObject | None", None if preview is None else Raw(preview.encode())),
        job_id=data.job_id,
        parent_job_id=None if data.is_root_job else data.parent_job_id,
        is_root_job=data.is_root_job,
        triggered_by=data.triggered_by,
        user_id=data.user_id,
        created_at=_nearest_time(data.created_at),
        declared_root_job_id=data.declared_root_job_id,
    )


def _nearest_time(text: str) -> datetime:
    if text.startswith("-") or text.endswith("BC"):
        return EARLIEST_ROW
    try:
        return min(datetime.fromisoformat(text), LATEST_ROW)
    except ValueError:  # infinity, or a year of five digits
        return LATEST_ROW
