"""Provenance records: a row of the log as stored, with its root and its revision."""

from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta, Struct

from llamalog_schemas.events import Category, CloudEvent, DataQuality, EntityType, Status
from llamalog_schemas.limits import Moment

PROVENANCE_SOURCE = "/llamalog/provenance"
"""The CloudEvents ``source`` of every provenance record."""


def _label_of(values: type[StrEnum]) -> Meta:
    """One of these labels in every row that an event made; legacy rows may bear others."""
    return Meta(description=f"{', '.join(values)}; a legacy row may bear another label.")


CategoryLabel = Annotated[str, _label_of(Category)]
StatusLabel = Annotated[str, _label_of(Status)]
EntityTypeLabel = Annotated[str, _label_of(EntityType)]
DataQualityLabel = Annotated[str, _label_of(DataQuality)]
Texts = Annotated[tuple[str | None, ...], Meta(description="A legacy row may hold null among them.")]
Json = Annotated[Any, Meta(description="An object; a legacy row may hold any JSON.")]


class Origin(StrEnum):
    """The way in which a row's root is known, or the reason why it is not."""

    ROOT = "ROOT"
    RESOLVED = "RESOLVED"
    CYCLE = "CYCLE"
    ADOPTED = "ADOPTED"
    DECLARED = "DECLARED"
    PENDING = "PENDING"
    UNTRACKED = "UNTRACKED"


class Provenance(Struct, frozen=True, omit_defaults=True, rename="camel", gc=False):
    """A row of ``llama_logs`` as stored.

    ``createdAt`` is the event's time, ``recordedAt`` when the row was written. ``revision`` starts at
    1 and rises with every change of a value that follows from other rows: root, origin, cycle, conflict.
    A row that was in the table before events existed is published as stored, with any values that it holds.
    ``producer`` is the ``source`` of the event; a legacy row (``isLegacy``) has none, and of an event
    recorded before producers were kept it is absent. ``traceparent`` leads to the trace of the event.
    ``erased``: a person was erased from the row, its ``userId`` and the personal keys of its ``metadata``.
    ``retracted``: the event was taken back; the row makes no claim and no declaration.
    ``omitted`` names the fields that were left out because no message could hold or no reader could
    decode them.
    Unlike an event's data it may gain fields within a version: readers ignore fields that they don't know.
    """

    id: UUID
    revision: int
    category: CategoryLabel
    operation: str
    status: StatusLabel
    created_at: Moment
    recorded_at: Moment
    origin: Origin | None
    root_job_id: str | None
    is_root_job: bool
    job_id: str | None = None
    parent_job_id: str | None = None
    declared_root_job_id: str | None = None
    cycle_members: tuple[str, ...] | None = None
    parent_conflict: bool = False
    entity_type: EntityTypeLabel | None = None
    entity_id: UUID | None = None
    album_id: UUID | None = None
    artist_id: UUID | None = None
    track_id: UUID | None = None
    sources: Texts = ()
    reason: str | None = None
    fields_enriched: Texts = ()
    data_quality_before: DataQualityLabel | None = None
    data_quality_after: DataQualityLabel | None = None
    error_message: str | None = None
    error_code: str | None = None
    retry_count: int | None = None
    duration_ms: int | None = None
    api_call_count: int | None = None
    metadata: Json = None
    preview_data: Json = None
    triggered_by: str | None = None
    user_id: str | None = None
    producer: str | None = None
    traceparent: str | None = None
    is_legacy: bool = False
    erased: bool = False
    retracted: bool = False
    omitted: tuple[str, ...] = ()


class ProvenanceRecorded(
    CloudEvent, frozen=True, kw_only=True, tag="llamalog.provenance-recorded.v1", gc=False
):
    """A row was written or its root corrected.

    Delivery is at least once and in no order: keep the highest ``revision`` of an ``id``.
    The CloudEvents id is ``<row id>/<revision>``; the Kafka key is the row id.
    """

    data: Provenance
