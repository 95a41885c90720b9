"""A row of the log as others are told it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from llamalog_schemas.provenance import (
    CategoryLabel,
    DataQualityLabel,
    EntityTypeLabel,
    Json,
    Origin,
    StatusLabel,
    Texts,
)
from llamalog_service.postgres.statements import Reader, Row

_ORIGINS = {str(origin): origin for origin in Origin}


class LogRow(Struct, frozen=True, kw_only=True, rename="camel"):
    """A row of the log as stored; one that was there before events existed may bear any word and any JSON.

    Attributes:
        created_at: the event's time, UTC, in milliseconds.
        recorded_at: when the row was written.
        name: the title or the name that the event told, if it did.
        parent_job_id: the parent that the row itself names; which one counts is another question.
        root_job_id: null if it is not known; `origin` says why.
        declared_root_job_id: what the row itself says about its root.
        origin: null for a row of another writer that nobody has looked at yet.
        cycle_members: the jobs of the cycle that the row is on, or hangs off.
        parent_conflict: whether the row claims another parent than the one that counts.
        declaration_conflict: whether it declares another root than the one that was found.
        revision: 1 as written, higher once what follows from other rows was corrected.
    """

    id: UUID
    created_at: datetime
    recorded_at: datetime
    entity_type: EntityTypeLabel | None
    entity_id: UUID | None
    album_id: UUID | None
    artist_id: UUID | None
    track_id: UUID | None
    name: str | None
    operation: str
    category: CategoryLabel
    sources: Texts
    status: StatusLabel
    reason: str | None
    fields_enriched: Texts
    data_quality_before: DataQualityLabel | None
    data_quality_after: DataQualityLabel | None
    error_message: str | None
    error_code: str | None
    retry_count: int | None
    duration_ms: int | None
    api_call_count: int | None
    metadata: Json
    preview_data: Json
    job_id: str | None
    parent_job_id: str | None
    root_job_id: str | None
    declared_root_job_id: str | None
    is_root_job: bool
    triggered_by: str | None
    user_id: str | None
    origin: Origin | None
    cycle_members: tuple[str, ...] | None
    parent_conflict: bool
    declaration_conflict: bool
    revision: int

    @property
    def is_corrected(self) -> bool:
        """Whether what follows from other rows was corrected after the row was written."""
        return self.revision > 1


async def read_row(reader: Reader, row: UUID) -> LogRow | None:
    """A row by its id, which is that of its event; None where there is none.

    Raises:
        UnavailableError: PostgreSQL is away.
    """
    found = await reader.rows("row", row)
    return log_row(found[0]) if found else None


def log_row(record: Row) -> LogRow:
    """A row from a query that selects `{row}`."""
    root, declared, members = record["root_job_id"], record["declared_root_job_id"], record["cycle_members"]
    return LogRow(
        id=record["id"],
        created_at=record["created_at"],
        recorded_at=record["recorded_at"],
        entity_type=record["entity_type"],
        entity_id=record["entity_id"],
        album_id=record["album_id"],
        artist_id=record["artist_id"],
        track_id=record["track_id"],
        name=name_in(record["metadata"]),
        operation=record["operation"],
        category=record["category"],
        sources=tuple(record["sources"] or ()),
        status=record["status"],
        reason=record["reason"],
        fields_enriched=tuple(record["fields_enriched"] or ()),
        data_quality_before=record["data_quality_before"],
        data_quality_after=record["data_quality_after"],
        error_message=record["error_message"],
        error_code=record["error_code"],
        retry_count=record["retry_count"],
        duration_ms=record["duration_ms"],
        api_call_count=record["api_call_count"],
        metadata=record["metadata"],
        preview_data=record["preview_data"],
        job_id=record["job_id"],
        parent_job_id=record["parent_job_id"],
        root_job_id=root,
        declared_root_job_id=declared,
        is_root_job=record["is_root_job"],
        triggered_by=record["triggered_by"],
        user_id=record["user_id"],
        origin=origin_of(record["origin"]),
        cycle_members=None if members is None else tuple(members),
        parent_conflict=record["parent_conflict"],
        declaration_conflict=declared is not None and root is not None and declared != root,
        revision=record["revision"],
    )


def origin_of(word: str | None) -> Origin | None:
    """An origin as the table keeps it."""
    return None if word is None else _ORIGINS[word]


def name_in(metadata: Any) -> str | None:
    """The title or the name in an event's metadata; a legacy row's may be anything that is JSON."""
    if not isinstance(metadata, dict):
        return None
    told = (metadata.get("title"), metadata.get("name"))
    return next((name for name in told if isinstance(name, str) and name), None)
