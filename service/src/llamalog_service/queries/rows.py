"""A row of the log as the API, the pages and the command line show it."""

from collections.abc import Iterable
from datetime import datetime
from operator import attrgetter, itemgetter
from typing import Any, Final, TypeVar, overload
from uuid import UUID

from msgspec import Raw, Struct
from msgspec.structs import replace

from llamalog_schemas.provenance import (
    CategoryLabel,
    DataQualityLabel,
    EntityTypeLabel,
    Json,
    Origin,
    Provenance,
    StatusLabel,
    Texts,
)
from llamalog_service.postgres.reader import Reader
from llamalog_service.postgres.statements import Row

Made = TypeVar("Made", bound=Struct)

MAX_NAME: Final = 200
"""Characters of a name; the whole of a longer one is in the metadata."""

MAX_TEXT: Final = 300
"""Characters of a text in a summary; its row has the whole of a longer one."""

_ORIGINS = {str(origin): origin for origin in Origin}


class LeftOut(Struct, frozen=True):
    """The place of a value that is too large for a list.

    Attributes:
        bytes: how large it is.
    """

    bytes: int


class LogRow(Struct, frozen=True, rename="camel"):
    """A row of the log as stored; a legacy row may have any label and any JSON.

    Attributes:
        created_at: the event's time, UTC, in milliseconds.
        recorded_at: when the row was written.
        name: the title or the name in the event, if there is one; of a long one the beginning.
        parent_job_id: the parent that the row itself names, not always the one that counts.
        root_job_id: null if it is not known; `origin` says why.
        declared_root_job_id: the root that the row itself declares.
        origin: null for a row of another writer that is not processed yet.
        cycle_members: the jobs of the cycle that the row is on, or hangs off.
        parent_conflict: whether the row claims another parent than the one that counts.
        declaration_conflict: whether it declares another root than was found; false if retracted.
        revision: 1 as written, higher once what follows from other rows was corrected.
        producer: the source of the event; null for a legacy row, which has none, and for one recorded
            before producers were.
        traceparent: the span that the event was published in, as W3C Trace Context writes it.
        is_legacy: whether the row was in the table before events were.
        erased: whether a person was erased from the row.
        retracted: whether the event was taken back: then the row makes no claim and no declaration.
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
    producer: str | None
    traceparent: str | None
    is_legacy: bool
    erased: bool
    retracted: bool

    @property
    def parent_counts(self) -> bool:
        """Whether the parent that the row names is its job's, or the row has no job."""
        return not self.parent_conflict and not (self.retracted and self.job_id is not None)

    @property
    def trace_id(self) -> str | None:
        """The distributed trace that the event was published in."""
        return None if self.traceparent is None else self.traceparent.split("-")[1]

    @property
    def is_corrected(self) -> bool:
        """Whether what follows from other rows was corrected after the row was written."""
        return self.revision > 1


_COPIED = [name for name in LogRow.__struct_fields__ if name not in {"name", "declaration_conflict"}]
_NAME = LogRow.__struct_fields__.index("name")
_DECLARATION_CONFLICT = LogRow.__struct_fields__.index("declaration_conflict")
_of_record = itemgetter(*_COPIED)
_of_provenance = attrgetter(*_COPIED)
_METADATA, _PREVIEW, _ROOT, _DECLARED, _SOURCES, _FIELDS_ENRICHED, _ORIGIN, _CYCLE_MEMBERS, _RETRACTED = map(
    _COPIED.index,
    (
        "metadata",
        "preview_data",
        "root_job_id",
        "declared_root_job_id",
        "sources",
        "fields_enriched",
        "origin",
        "cycle_members",
        "retracted",
    ),
)


async def read_row(reader: Reader, row: UUID) -> LogRow | None:
    """A row by its id, which is that of its event; None where there is none."""
    found = await reader.rows("row", row)
    return log_row(found[0]) if found else None


def log_row(record: Row) -> LogRow:
    """A row from a query that selects `{row}`; its large JSON is not decoded, which would hold the loop."""
    values = list(_of_record(record))
    for place, column in ((_METADATA, "metadata_text"), (_PREVIEW, "preview_data_text")):
        if record[column] is not None:
            values[place] = Raw(record[column].encode())
    return _named(_log_row(values), record)


def brief_row(record: Row) -> LogRow:
    """A row from a query that selects `{brief}`: long texts and lists cut, large JSON left out."""
    values = list(_of_record(record))
    for place, column in ((_METADATA, "metadata_left_out"), (_PREVIEW, "preview_data_left_out")):
        if record[column] is not None:
            values[place] = LeftOut(record[column])
    return _named(_log_row(values), record)


def _named(row: LogRow, record: Row) -> LogRow:
    """The row, with the name that the query found in metadata that was not decoded."""
    return row if record["name"] is None else replace(row, name=cut(record["name"], MAX_NAME))


def provenance_row(data: Provenance) -> LogRow:
    """The row that a provenance record states; fields that the record had to omit are missing."""
    return _log_row(_of_provenance(data))


def _log_row(copied: Iterable[Any]) -> LogRow:
    values = list(copied)
    metadata, root, declared = values[_METADATA], values[_ROOT], values[_DECLARED]
    values[_SOURCES] = tuple(values[_SOURCES] or ())
    values[_FIELDS_ENRICHED] = tuple(values[_FIELDS_ENRICHED] or ())
    values[_ORIGIN] = origin_of(values[_ORIGIN])
    if values[_CYCLE_MEMBERS] is not None:
        values[_CYCLE_MEMBERS] = tuple(values[_CYCLE_MEMBERS])
    conflict = None not in (declared, root) and declared != root and not values[_RETRACTED]
    values.insert(_NAME, name_in(metadata))
    values.insert(_DECLARATION_CONFLICT, conflict)
    return LogRow(*values)


def struct_of(kind: type[Made], record: Row, **values: Any) -> Made:
    """A struct of some values, and of the record's columns that are named as the other fields."""
    columns = {name: record[name] for name in kind.__struct_fields__ if name not in values}
    return kind(**columns, **values)


def origin_of(label: str | None) -> Origin | None:
    """An origin as the table keeps it."""
    return None if label is None else _ORIGINS[label]


def name_in(metadata: Any) -> str | None:
    """The title or the name in an event's metadata; a legacy row's may be anything that is JSON."""
    if not isinstance(metadata, dict):
        return None
    names = (metadata.get("title"), metadata.get("name"))
    return next((cut(name, MAX_NAME) for name in names if isinstance(name, str) and name), None)


@overload
def cut(text: str, most: int) -> str: ...
@overload
def cut(text: str | None, most: int) -> str | None: ...
def cut(text: str | None, most: int) -> str | None:
    """A text of at most so many characters; a longer one ends with an ellipsis instead of its rest."""
    return text if text is None or len(text) <= most else f"{text[: most - 1]}…"
