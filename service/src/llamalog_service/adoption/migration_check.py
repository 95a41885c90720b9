"""Check of a database before its log is taken over, and the steps of its migration."""

from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import Any, Final

from alembic.config import Config
from alembic.script import ScriptDirectory
from msgspec import Struct
from sqlalchemy import Connection

from llamalog_schemas.limits import MAX_JOB_LENGTH
from llamalog_service.adoption.column_checks import column_problems, wide_job_columns
from llamalog_service.adoption.compat_view import preview_compat_view
from llamalog_service.adoption.schema_inspector import (
    ADDED_COLUMN,
    JOURNAL,
    LOG_TABLES,
    Preview,
    SchemaInspector,
)
from llamalog_service.domain.errors import LlamalogError
from llamalog_service.postgres.database_checks import OWN_TABLES, encoding_fault

ESSENTIAL: Final = ("id", "operation", "status", "job_id", "parent_job_id", "created_at")
"""The columns that a table must have to be taken over; all others can be added."""

_NEEDED_COLUMNS: Final = (
    "origin",
    "cycle_members",
    "parent_conflict",
    "revision",
    "recorded_at",
    "legacy_told",
    "legacy_sourced",
    "settled_by",
    "producer_id",
    "traceparent",
    "erased",
    "retracted",
)
"""Columns that a table may have had for something else, whose values would be taken for llamalog's."""

_FORMER_TABLES: Final = ("root_decrees", "telling_progress")
"""The names that revisions give to tables of llamalog's own which a later revision renames."""

COMPAT_VIEW_STEP = "--compat-view"
"""The revision given for the step that belongs to no revision."""


class NotAdoptableError(LlamalogError):
    """A table, view or type with the log's name can't be taken over as it is."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(
            f"The database can't be taken over as it is: {'; '.join(problems)}. "
            "Nothing was changed. Remove the cause, and run the same command again."
        )
        self.problems = tuple(problems)


class StartingPoint(IntEnum):
    """The points of the table's history from which a migration can start."""

    EMPTY = 0
    FIRST = 1
    WITH_IS_ROOT_JOB = 2
    WITH_CATEGORY = 3
    WITH_ROOTS = 4


_DESCRIPTIONS: Final = {
    StartingPoint.EMPTY: "no table of the log",
    StartingPoint.FIRST: "{table} as first described",
    StartingPoint.WITH_IS_ROOT_JOB: "{table} with is_root_job",
    StartingPoint.WITH_CATEGORY: "{table} with category",
    StartingPoint.WITH_ROOTS: "{table} with LINKED and root_job_id",
}


class PlannedStep(Struct, frozen=True):
    """A step of a revision, and the number of rows of the log that it changes or has to write."""

    revision: str
    what: str
    rows: int


class MigrationCheck(Struct, frozen=True):
    """The state of a database, and the steps that a migration would take.

    Attributes:
        start: the recognised starting point, for people.
        revision: of the last migration that was applied; None before the first.
        rows: of the log.
        problems: why the table cannot be taken over; with any, a migration changes nothing.
        steps: in order; empty where the database is up to date.
    """

    start: str
    revision: str | None
    rows: int
    problems: tuple[str, ...]
    steps: tuple[PlannedStep, ...]

    @property
    def is_migrated(self) -> bool:
        """Whether every revision is applied."""
        return not self.problems and all(step.revision == COMPAT_VIEW_STEP for step in self.steps)

    @property
    def finds_no_log(self) -> bool:
        """Whether the database holds no table of the log."""
        return self.revision is None and self.start == _DESCRIPTIONS[StartingPoint.EMPTY]


def check_schema(
    connection: Connection, config: Config, revision: str | None, pending: list[str], *, compat_view: bool
) -> MigrationCheck:
    """Inspect a database without changing it.

    Args:
        revision: the database's revision.
        pending: the revisions that it lacks.
        compat_view: whether the compatibility view is requested.
    """
    found = SchemaInspector(connection)
    problems = find_problems(found) if pending else []
    return MigrationCheck(
        start=_DESCRIPTIONS[starting_point(found)].format(table=found.table),
        revision=revision,
        rows=found.rows(),
        problems=tuple(problems),
        steps=() if problems else tuple(_steps(found, config, pending, compat_view=compat_view)),
    )


def _steps(
    found: SchemaInspector, config: Config, pending: list[str], *, compat_view: bool
) -> Iterator[PlannedStep]:
    script = ScriptDirectory.from_config(config)
    for revision in pending:
        for what, rows in _preview(script.get_revision(revision).module, found):
            yield PlannedStep(revision, what, rows)
    if compat_view:
        for what, rows in preview_compat_view(found):
            yield PlannedStep(COMPAT_VIEW_STEP, what, rows)


def _preview(module: Any, found: SchemaInspector) -> Iterator[Preview]:
    """The steps of a revision: its own preview, or else the first line of its docstring."""
    if hasattr(module, "preview"):
        yield from module.preview(found)
    else:
        yield Preview(module.__doc__.partition("\n")[0].rstrip("."))


def starting_point(found: SchemaInspector) -> StartingPoint:
    """The point of its history that a table is at, recognised by its columns and enum labels."""
    columns = found.columns
    if found.table is None:
        return StartingPoint.EMPTY
    if "category" not in columns:
        return StartingPoint.WITH_IS_ROOT_JOB if "is_root_job" in columns else StartingPoint.FIRST
    linked = "LINKED" in found.enum_values(columns["category"].enum or "")
    return StartingPoint.WITH_ROOTS if linked and "root_job_id" in columns else StartingPoint.WITH_CATEGORY


def require_adoptable(connection: Connection) -> None:
    """Check the table before any change; leaves no transaction open.

    Raises:
        NotAdoptableError: the table cannot be taken over; it lists every reason.
    """
    try:
        if problems := find_problems(SchemaInspector(connection)):
            raise NotAdoptableError(problems)
    finally:
        connection.rollback()


def find_problems(found: SchemaInspector) -> list[str]:
    """The reasons why a table cannot be taken over, each a sentence without a full stop; usually none."""
    if (fault := encoding_fault(*found.database)) is not None:
        return [fault.rstrip(".")]
    if len(found.tables) > 1:
        return [
            f"both {' and '.join(LOG_TABLES)} exist, and it is not clear which of them is the log; "
            "rename or drop one of them"
        ]
    if found.relation_kind("llama_logs") == "v":
        return ["llama_logs is a view, and the table is to get that name; drop or rename the view"]
    problems = _occupied_names(found)
    if found.table is not None:
        problems += _structural_problems(found)
    return problems


def _occupied_names(found: SchemaInspector) -> list[str]:
    """Existing tables with the names of llamalog's own, in a database that llamalog has never migrated."""
    if found.relation_kind(JOURNAL) is not None:
        return []
    return [
        f"{name} exists, was not created by llamalog, and llamalog needs that name; rename or drop it"
        for name in (*OWN_TABLES, *_FORMER_TABLES)
        if found.relation_kind(name) is not None
    ]


def _structural_problems(found: SchemaInspector) -> list[str]:
    table, columns = found.table, found.columns
    if found.relation_kind(str(table)) != "r":
        return [f"{table} is no ordinary table (a partitioned or a foreign one, or a materialized view)"]
    missing = [name for name in ESSENTIAL if name not in columns]
    if missing:
        return [f"{table} lacks {', '.join(missing)}: it is not the log that llamalog knows"]
    problems = []
    if columns["id"].type != "uuid":
        problems.append(f"{table}.id is of type {columns['id'].type}, not uuid")
    if not any(index.columns == ("id",) and index.unique for index in found.indexes.values()):
        problems.append(f"{table}.id has no primary key or unique index")
    if not columns["created_at"].type.startswith("timestamp"):
        problems.append(f"{table}.created_at is of type {columns['created_at'].type}, not timestamp")
    problems += [
        f"{rows} rows have no {name}"
        for name in ("operation", "status", "created_at")
        if columns[name].nullable and (rows := found.rows(f"l.{name} IS NULL"))
    ]
    problems += [
        f"{rows} rows have a {name} of more than {MAX_JOB_LENGTH} characters"
        for name in wide_job_columns(found)
        if (rows := found.rows(f"length(l.{name}::text) > {MAX_JOB_LENGTH}"))
    ]
    added = found.noted(ADDED_COLUMN)
    problems += [
        f"{table} has a column {name} of its own, and llamalog needs that name; rename it"
        for name in _NEEDED_COLUMNS
        if name in columns and name not in added
    ]
    problems += column_problems(found)
    return problems
