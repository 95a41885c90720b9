"""The changes by migrations of what they found, kept so that a down-migration takes back that and no more.

A database that was adopted had a part of what the steps of the table's history add, and only the journal
knows which part.
"""

from alembic import op

from llamalog_service.adoption import schema_inspector
from llamalog_service.adoption.schema_inspector import JOURNAL, SchemaInspector

ADDED_TABLE = "added table"
ADDED_ENUM = "added enum"
ADDED_COLUMN = schema_inspector.ADDED_COLUMN
ADDED_INDEX = "added index"
DROPPED_INDEX = "dropped index"
RENAMED_TABLE = "renamed table"
RENAMED_INDEX = "renamed index"
CHANGED_DEFAULT = "changed default"
DROPPED_NOT_NULL = "dropped not null"
DROPPED_FOREIGN_KEY = "dropped foreign key"
TAKEN_OVER = "taken over"
"""Its `before` is the `recorded_at` of every row that stood when the table got that column."""


def create_journal() -> None:
    op.execute(
        f"""
        CREATE TABLE IF NOT EXISTS {JOURNAL} (
            kind text NOT NULL,
            name text NOT NULL,
            before text,
            noted_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (kind, name)
        )
        """
    )


def inspect_schema() -> SchemaInspector:
    return SchemaInspector(op.get_bind())


def noted(kind: str) -> dict[str, str | None]:
    return inspect_schema().noted(kind)


def note(kind: str, name: str, before: str | None = None) -> str:
    """The statement that notes a change; the first entry stays."""
    return note_value(kind, name, "NULL" if before is None else quoted(before))


def note_value(kind: str, name: str, before: str) -> str:
    """The same, with an SQL expression for what was there before."""
    return (
        f"INSERT INTO {JOURNAL} (kind, name, before) VALUES ({quoted(kind)}, {quoted(name)}, {before}) "
        "ON CONFLICT DO NOTHING"
    )


def strike(kind: str, name: str) -> str:
    return f"DELETE FROM {JOURNAL} WHERE kind = {quoted(kind)} AND name = {quoted(name)}"


def rename(kind: str, name: str, new_name: str) -> str:
    """The statement that follows a change of name in the journal."""
    return (
        f"UPDATE {JOURNAL} SET name = {quoted(new_name)} "
        f"WHERE kind = {quoted(kind)} AND name = {quoted(name)}"
    )


def quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
