"""Rows that were in the table before events existed, published verbatim by the service.

The value of a column is the text that PostgreSQL writes for it (ISO dates, times of zones in UTC), so that
a label that no enum knows, a JSON text of any depth and a time without end travel like all others. A column
that is NULL is left out. No rule for entity events holds for such a row.
"""

import re
from datetime import datetime, timedelta
from typing import Annotated, Final

from msgspec import Meta, Struct

from llamalog_schemas.limits import EARLIEST_TIME, LATEST_TIME

LEGACY_SOURCE: Final = "/llamalog/genesis"
"""The CloudEvents ``source`` of the events of legacy rows."""

EARLIEST_MOMENT: Final = datetime(1, 1, 1)
LATEST_MOMENT: Final = datetime(9999, 12, 31, 23, 59, 59, 999000)
"""The ends of time as programs know it; PostgreSQL's reach further."""

_MOMENT: Final = (
    r"^(-?infinity|[0-9]{4,6}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
    r"([+-][0-9]{2}(:[0-9]{2}){0,2})?( BC)?)$"
)
_PARTS: Final = re.compile(
    r"(?P<year>\d{4,6})-(?P<rest>\d\d-\d\d \d\d:\d\d:\d\d)(?:\.(?P<fraction>\d{1,6}))?"
    r"(?:[+-]00(?::00){0,2})?(?P<before> BC)?"
)

Text = Annotated[str, Meta(description="As PostgreSQL writes it.")]
JobText = Annotated[str, Meta(max_length=100, description="A job's name; it may be empty.")]
ArrayText = Annotated[str, Meta(description="An array as PostgreSQL writes it.", examples=["{MUSICBRAINZ}"])]
JsonText = Annotated[str, Meta(description="The text of any JSON value.", examples=['{"discNumber": 1}'])]
MomentText = Annotated[
    str,
    Meta(
        pattern=_MOMENT,
        description="A time in UTC as PostgreSQL writes it, of any year, or infinity.",
        examples=["2024-05-01 10:30:00.123"],
    ),
]
BooleanText = Annotated[str, Meta(pattern="^(true|false)$")]


class Overruled(
    Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    rename="camel",
    gc=False,
):
    """The lineage that the row named before it was migrated, where the rules of roots overrule it."""

    parent_job_id: JobText | None = None
    root_job_id: JobText | None = None


class LegacyRowData(
    Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    rename="camel",
    gc=False,
):
    """The columns of a legacy row verbatim, without those that follow from other rows (root, origin).

    ``otherColumns`` are those of its owner that llamalog does not know: they stay in the topic.
    """

    operation: Text
    category: Text
    status: Text
    created_at: MomentText
    entity_type: Text | None = None
    entity_id: Text | None = None
    artist_id: Text | None = None
    album_id: Text | None = None
    track_id: Text | None = None
    sources: ArrayText | None = None
    reason: Text | None = None
    fields_enriched: ArrayText | None = None
    data_quality_before: Text | None = None
    data_quality_after: Text | None = None
    error_message: Text | None = None
    error_code: Text | None = None
    retry_count: Text | None = None
    duration_ms: Text | None = None
    api_call_count: Text | None = None
    metadata: JsonText | None = None
    preview_data: JsonText | None = None
    job_id: JobText | None = None
    parent_job_id: JobText | None = None
    is_root_job: BooleanText | None = None
    declared_root_job_id: JobText | None = None
    triggered_by: Text | None = None
    user_id: Text | None = None
    overruled: Overruled | None = None
    other_columns: dict[str, str] | None = None


def parse_moment(text: str) -> datetime:
    """The time that a text of PostgreSQL means, in UTC without zone; the nearest that a program can hold.

    Raises:
        ValueError: there is no such day, or its zone is not UTC.
    """
    if text.endswith("infinity"):
        return EARLIEST_MOMENT if text.startswith("-") else LATEST_MOMENT
    parts = _PARTS.fullmatch(text)
    if parts is None:
        raise ValueError(f"{text!r} is no time in UTC")
    year = int(parts["year"])
    in_any_year = datetime.fromisoformat(f"2000-{parts['rest']}")  # a leap year, as others may be
    if parts["before"]:
        return EARLIEST_MOMENT
    if year > LATEST_MOMENT.year:
        return LATEST_MOMENT
    microseconds = int((parts["fraction"] or "").ljust(6, "0"))
    return min(in_any_year.replace(year=year, microsecond=microseconds), LATEST_MOMENT)


def event_time_of(moment: datetime) -> datetime:
    """The ``time`` of the event of a row created at a moment: the nearest that an event may have."""
    aware = moment.replace(tzinfo=EARLIEST_TIME.tzinfo)
    return min(max(aware, EARLIEST_TIME), LATEST_TIME - timedelta(milliseconds=1))
