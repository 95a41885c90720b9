"""The entity events as pydantic models with the rules of ours, for comparison only."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter
from pydantic.alias_generators import to_camel

from llamalog_schemas import DataQuality, EntityType, Status

Name100 = Annotated[str, Field(min_length=1, max_length=100)]
Name50 = Annotated[str, Field(min_length=1, max_length=50)]
Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
Attribute = Annotated[str, Field(min_length=1, max_length=1000)]


class OperationData(BaseModel):
    """The data that every entity event may have."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", alias_generator=to_camel)

    operation: Name100
    status: Status
    entity_type: EntityType
    album_id: UUID | None = None
    artist_id: UUID | None = None
    track_id: UUID | None = None
    sources: Annotated[tuple[Name100, ...], Field(max_length=50)] = ()
    reason: str | None = None
    fields_enriched: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=200)], ...], Field(max_length=500)
    ] = ()
    data_quality_before: DataQuality | None = None
    data_quality_after: DataQuality | None = None
    error_message: str | None = None
    error_code: Name50 | None = None
    retry_count: Count | None = None
    duration_ms: Count | None = None
    api_call_count: Count | None = None
    metadata: dict[str, Any] | None = None
    preview_data: dict[str, Any] | None = None
    job_id: Name100 | None = None
    parent_job_id: Name100 | None = None
    root_job_id: Name100 | None = None
    triggered_by: Name50 | None = None
    user_id: Annotated[str, Field(min_length=1, max_length=255)] | None = None


class EntityData(OperationData):
    """The data of an event about an entity that exists."""

    entity_id: UUID


class FailureData(OperationData):
    """The data of a failure."""

    entity_id: UUID | None = None


class CloudEvent(BaseModel):
    """The envelope; attributes that are not ours are ignored."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")

    id: Attribute
    source: Attribute
    time: AwareDatetime
    specversion: Literal["1.0"]
    subject: Any = None


class EntityCreated(CloudEvent):
    type: Literal["llamalog.entity-created.v1"]
    data: EntityData


class EntityLinked(CloudEvent):
    type: Literal["llamalog.entity-linked.v1"]
    data: EntityData


class EntityEnriched(CloudEvent):
    type: Literal["llamalog.entity-enriched.v1"]
    data: EntityData


class EntityCorrected(CloudEvent):
    type: Literal["llamalog.entity-corrected.v1"]
    data: EntityData


class EntityCached(CloudEvent):
    type: Literal["llamalog.entity-cached.v1"]
    data: EntityData


class EntityFailed(CloudEvent):
    type: Literal["llamalog.entity-failed.v1"]
    data: FailureData


EntityEvent = EntityCreated | EntityLinked | EntityEnriched | EntityCorrected | EntityCached | EntityFailed
adapter: TypeAdapter[EntityEvent] = TypeAdapter(Annotated[EntityEvent, Field(discriminator="type")])


def content(event: EntityEvent) -> tuple[str, datetime, dict[str, Any]]:
    """The content of an event, to compare it with ours."""
    return event.id, event.time, event.data.model_dump(mode="json", by_alias=True, exclude_defaults=True)
