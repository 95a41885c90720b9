"""Checks of an existing table: do its columns and rules accept what events bring?"""

import re
from collections.abc import Iterator
from typing import Final

from llamalog_schemas.limits import MAX_JOB_LENGTH
from llamalog_service.adoption.schema_inspector import ExistingColumn, SchemaInspector

_TEXT: Final = re.compile(r"text|character varying(\((\d+)\))?")
_TEXTS: Final = re.compile(r"(text|character varying(\(\d+\))?)\[\]")
_WHOLE_NUMBER: Final = re.compile(r"integer|bigint")
_JSON: Final = re.compile(r"jsonb?")
_UUID: Final = re.compile(r"uuid")
_BOOLEAN: Final = re.compile(r"boolean")

_TYPES: Final = {
    "text": (_TEXT, {"job_id", "parent_job_id", "root_job_id", "declared_root_job_id", "operation", "reason",
                     "error_message", "error_code", "triggered_by", "user_id"}),
    "text[]": (_TEXTS, {"sources", "fields_enriched"}),
    "integer": (_WHOLE_NUMBER, {"retry_count", "duration_ms", "api_call_count"}),
    "jsonb": (_JSON, {"metadata", "preview_data"}),
    "uuid": (_UUID, {"entity_id", "artist_id", "album_id", "track_id"}),
    "boolean": (_BOOLEAN, {"is_root_job"}),
}  # fmt: skip
"""The types of columns that llamalog writes, with those that hold the same values."""

_CHARACTERS: Final = {
    "job_id": MAX_JOB_LENGTH,
    "parent_job_id": MAX_JOB_LENGTH,
    "root_job_id": MAX_JOB_LENGTH,
    "declared_root_job_id": MAX_JOB_LENGTH,
    "operation": 100,
    "error_code": 50,
    "triggered_by": 50,
}
"""The most that an event brings."""


def column_problems(found: SchemaInspector) -> list[str]:
    """The reasons why events could not be written into a table, each a sentence without a full stop."""
    table = found.table
    problems = [
        problem
        for name, column in found.columns.items()
        for problem in _problems_of(f"{table}.{name}", name, column)
    ]
    problems += [
        f"{table} has the rule {rule}, which rewrites what is written; drop it, or make it a trigger"
        for rule in found.rules
    ]
    return problems


def wide_job_columns(found: SchemaInspector) -> list[str]:
    """The columns of jobs in which the application may write names that are too long for a root."""
    columns = found.columns
    return [
        name
        for name in ("job_id", "parent_job_id")
        if name in columns and not _is_at_most(columns[name].base, MAX_JOB_LENGTH)
    ]


def _problems_of(full_name: str, name: str, column: ExistingColumn) -> Iterator[str]:
    for expected, (fitting, names) in _TYPES.items():
        if name in names and not fitting.fullmatch(column.base):
            yield f"{full_name} is of type {column.type}, not {expected}"
            return
    if name in _CHARACTERS and _is_at_most(column.base, _CHARACTERS[name] - 1):
        yield (
            f"{full_name} is of type {column.type}, and events bring up to {_CHARACTERS[name]} characters; "
            "widen it"
        )
    if name in _TYPES["text"][1] and not column.is_deterministic:
        yield (
            f"{full_name} has a collation by which different texts are equal, and to llamalog they are not; "
            "give it a deterministic one"
        )
    if column.is_generated and (name in _CHARACTERS or any(name in names for _, names in _TYPES.values())):
        yield f"{full_name} is a generated column, and llamalog writes it; drop the expression"


def _is_at_most(type_: str, characters: int) -> bool:
    length = _TEXT.fullmatch(type_)
    return length is not None and length[2] is not None and int(length[2]) <= characters
