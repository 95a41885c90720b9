"""Whether what stands in a database is a log that migrations can take over, and which one."""

from enum import IntEnum
from typing import Final

from sqlalchemy import Connection

from llamalog_service.adoption.schema_inspector import JOURNAL, LOG_TABLES, Standing
from llamalog_service.postgres.errors import NotAdoptableError

ESSENTIAL: Final = ("id", "operation", "status", "job_id", "parent_job_id", "created_at")
"""What makes a table a log; whatever else is missing can be added."""

MAX_JOB_ID: Final = 100
_OURS: Final = (
    "consumer_positions",
    "root_decrees",
    "provenance_outbox",
    "backfill_runs",
    "legacy_values",
    "backfill_plan",
    "handled_requests",
    "telling_progress",
    "removed_rows",
)


class StartingPoint(IntEnum):
    """The point of its history at which a table stands."""

    EMPTY = 0
    FIRST = 1
    WITH_IS_ROOT_JOB = 2
    WITH_CATEGORY = 3
    WITH_ROOTS = 4


def starting_point(found: Standing) -> StartingPoint:
    """How far the table has come, told by its columns and enum values."""
    columns = found.columns
    if found.table is None:
        return StartingPoint.EMPTY
    if "category" not in columns:
        return StartingPoint.WITH_IS_ROOT_JOB if "is_root_job" in columns else StartingPoint.FIRST
    linked = "LINKED" in found.enum_values(columns["category"].enum or "")
    return StartingPoint.WITH_ROOTS if linked and "root_job_id" in columns else StartingPoint.WITH_CATEGORY


def refuse_unless_adoptable(connection: Connection) -> None:
    """Look at the table before anything is changed; leaves no transaction open.

    Raises:
        NotAdoptableError: every reason why it can't be taken over.
    """
    try:
        if problems := problems_of(Standing(connection)):
            raise NotAdoptableError(problems)
    finally:
        connection.rollback()


def problems_of(found: Standing) -> list[str]:
    """What keeps a table from being taken over, a sentence without a full stop each; mostly none."""
    if len(found.tables) > 1:
        return [
            f"both {' and '.join(LOG_TABLES)} are there, and it can't be told which of them is the log; "
            "rename or drop one of them"
        ]
    if found.relation_kind("llama_logs") == "v":
        return ["llama_logs is a view, and the table is to get that name; drop or rename the view"]
    problems = _strangers(found)
    if found.table is not None:
        problems += _shape(found)
    return problems


def _strangers(found: Standing) -> list[str]:
    """Tables of names that ours will have, in a database where no migration of ours ever ran."""
    if found.relation_kind(JOURNAL) is not None:
        return []
    return [
        f"{name} is there, which llamalog has not made and needs the name of; rename or drop it"
        for name in _OURS
        if found.relation_kind(name) is not None
    ]


def _shape(found: Standing) -> list[str]:
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
        f"{rows} rows have a {name} of more than {MAX_JOB_ID} characters"
        for name in ("job_id", "parent_job_id")
        if columns[name].type != f"character varying({MAX_JOB_ID})"
        and (rows := found.rows(f"length(l.{name}::text) > {MAX_JOB_ID}"))
    ]
    return problems
