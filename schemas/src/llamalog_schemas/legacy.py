"""A row that was in the table before events existed, told as an event: what it holds, whatever that is."""

from typing import Annotated
from uuid import UUID

from msgspec import Meta, Struct

JsonText = Annotated[
    str, Meta(description="JSON, as a text: a row may hold what is too deep or too long for a reader.")
]
RowMoment = Annotated[
    str,
    Meta(
        pattern=r"^(-?infinity|[0-9]{4,6}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}"
        r"(\.[0-9]{1,6})?( BC)?)$",
        description="As PostgreSQL writes a time without zone; UTC.",
    ),
]


class LegacyRowData(
    Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    rename="camel",
    gc=False,
):
    """The ``data`` of a legacy row: its columns as they stand, by the names that events use for them.

    Words are those of the table, which may have others than events; counts may be anything. What the rules
    of roots found out about the row is left out: it follows from all rows.
    """

    operation: str
    category: str
    status: str
    created_at: RowMoment
    entity_type: str | None = None
    entity_id: UUID | None = None
    album_id: UUID | None = None
    artist_id: UUID | None = None
    track_id: UUID | None = None
    sources: tuple[str | None, ...] = ()
    reason: str | None = None
    fields_enriched: tuple[str | None, ...] = ()
    data_quality_before: str | None = None
    data_quality_after: str | None = None
    error_message: str | None = None
    error_code: str | None = None
    retry_count: int | None = None
    duration_ms: int | None = None
    api_call_count: int | None = None
    metadata: JsonText | None = None
    preview_data: JsonText | None = None
    job_id: str | None = None
    parent_job_id: str | None = None
    is_root_job: bool = False
    declared_root_job_id: str | None = None
    triggered_by: str | None = None
    user_id: str | None = None
