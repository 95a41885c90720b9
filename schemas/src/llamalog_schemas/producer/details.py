"""What may be said of an entity, as an editor completes it: the names and values of the contract."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypedDict
from uuid import UUID

from llamalog_schemas.events import DataQuality, EntityType, Status

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
    """What an event may say beside its entity and operation; the names are those of the contract.

    `job_id`, `parent_job_id` and `root_job_id` come from the job at work; a `job_id` that is named alone
    stands below it. `time` (default: now) is when it happened, with a zone. The same `event_id` (default: a
    new UUIDv7) with the same content, `time` included, is a duplicate and harmless to say.
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
    job_id: str | None
    parent_job_id: str | None
    root_job_id: str | None
    triggered_by: str | None
    user_id: str | None
    time: datetime
    event_id: Id
