"""Legacy rows as their events carry them: the fields that roots need, and all columns as texts."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
from msgspec import Struct

from llamalog_schemas.events import LegacyRow, row_id
from llamalog_schemas.legacy import parse_moment

_NO_COLUMNS: Final = ("overruled", "other_columns")


class OverruledValues(NamedTuple):
    """Values of a row's lineage that the rules of roots overrule; kept in `legacy_values`."""

    parent_job_id: str | None
    root_job_id: str | None


class LegacyContent(Struct, frozen=True, gc=False):
    """A row that was in the table before events existed.

    A row that calls itself a root job makes no claim: the parent that it names all the same is overruled.

    Attributes:
        created_at: the nearest time that Python can hold; `columns` has the original.
        columns: column → text as PostgreSQL writes it, NULL left out; without computed columns.
    """

    id: UUID
    operation: str
    category: str
    entity_type: str | None
    entity_id: str | None
    error_code: str | None
    job_id: str | None
    parent_job_id: str | None
    declared_root_job_id: str | None
    created_at: datetime
    columns: Mapping[str, str]
    overruled: OverruledValues


def legacy_content_of(event: LegacyRow) -> LegacyContent:
    """The legacy row that an event carries."""
    data = event.data
    calls_itself_root = data.is_root_job == "true"
    parent = None if calls_itself_root else data.parent_job_id
    kept = data.overruled
    overruled = OverruledValues(
        kept.parent_job_id if kept is not None else None, kept.root_job_id if kept is not None else None
    )
    if calls_itself_root and overruled.parent_job_id is None:
        overruled = overruled._replace(parent_job_id=data.parent_job_id)
    id_ = row_id(event)
    columns: dict[str, Any] = msgspec.structs.asdict(data) | {"id": str(id_), "parent_job_id": parent}
    return LegacyContent(
        id_,
        data.operation,
        data.category,
        data.entity_type,
        data.entity_id,
        data.error_code,
        data.job_id,
        parent,
        data.declared_root_job_id,
        parse_moment(data.created_at),
        {name: text for name, text in columns.items() if text is not None and name not in _NO_COLUMNS},
        overruled,
    )
