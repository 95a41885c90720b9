"""Changes of a table that others write to all the while: no lock is held, or waited for, for long."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import structlog
from alembic import context, op
from sqlalchemy.exc import DBAPIError
from sqlalchemy.util import await_only

from llamalog_service.adoption.migration_runner import MigrationProgress, OnProgress
from llamalog_service.adoption.schema_inspector import Preview, SchemaInspector
from migrations.journal import ADDED_COLUMN, ADDED_INDEX, identifier, inspect_schema, note, noted, strike

OURS = "Created by llamalog on an empty database."
"""The comment on indexes that a later migration may drop; others of that name are the owner's."""

LOCK_TIMEOUT = "300ms"
"""For so long a statement waits for its lock, and all who come after it wait behind it."""

_LOCK_CONFLICTS = {"55P03", "40P01"}
"""Lock not available in time, deadlock: what stands in the way goes away by itself."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 0.5
_log = structlog.get_logger(__name__)


class Index(NamedTuple):
    """An index as its queries need it. One over all rows serves them as well, unless it is `exact`.

    Attributes:
        replaces: the name of one over all rows that will be dropped if a migration built it.
    """

    name: str
    columns: str
    where: str | None = None
    exact: bool = False
    replaces: str | None = None

    def definition(self, name: str, table: str) -> str:
        condition = f" WHERE {self.where}" if self.where else ""
        return f"{identifier(name)} ON {table} ({self.columns}){condition}"

    def preview(self, found: SchemaInspector) -> Iterator[Preview]:
        if self.is_missing(found):
            yield Preview(f"build the index {self.name}, while others write")

    def is_missing(self, found: SchemaInspector) -> bool:
        """Whether no index of any name serves the same queries, and stays."""
        dropped = {self.replaces, f"{self.replaces}_2"} & found.noted(ADDED_INDEX).keys()
        return not any(
            other.valid
            and ", ".join(other.columns) == self.columns
            and (other.name == self.name or not (other.partial or self.exact or other.name in dropped))
            for other in found.indexes.values()
        )


@contextmanager
def outside_transaction() -> Iterator[None]:
    """Every statement within is a transaction of its own, and soon gives up waiting for a lock."""
    with op.get_context().autocommit_block():
        run(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
        yield
        run("RESET lock_timeout")  # after a failure the connection is not used again


def run(statement: str) -> Any:
    """A statement as it stands: colons and percent signs mean nothing in it."""
    return op.get_bind().exec_driver_sql(statement)


def run_with_lock_retries(statement: str) -> Any:
    """Run a statement again and again until nothing stands in its way; between attempts others go first."""
    pause = _FIRST_PAUSE
    while True:
        try:
            return run(statement)
        except DBAPIError as error:
            if not is_lock_conflict(error):
                raise
            if pause == _FIRST_PAUSE:
                _log.info("waiting for a lock, in short attempts", statement=statement.strip()[:200])
        wait(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def is_lock_conflict(error: DBAPIError) -> bool:
    return getattr(error.orig, "sqlstate", None) in _LOCK_CONFLICTS


def report_progress(progress: MigrationProgress) -> None:
    """Report to the caller of the migration."""
    on_progress: OnProgress | None = context.config.attributes.get("on_progress")
    if on_progress is not None:
        on_progress(progress)


def wait(seconds: float) -> None:
    await_only(asyncio.sleep(seconds))


def alter(*statements: str) -> None:
    """Run short statements in one transaction, all or none."""
    run_with_lock_retries(f"DO $alter$ BEGIN {'; '.join(statements)}; END $alter$")


def add_columns(columns: Mapping[str, str], *also: str) -> None:
    """Add columns that are missing, with one lock, and note that they are ours.

    Args:
        columns: name → definition, which must not rewrite the table.
        also: statements for the same transaction, if any column is added.
    """
    found = inspect_schema()
    existing = found.columns
    missing = [name for name in columns if name not in existing]
    if missing:
        added = ", ".join(f"ADD COLUMN {name} {columns[name]}" for name in missing)
        notes = [note(ADDED_COLUMN, name) for name in missing]
        alter(f"ALTER TABLE {found.table} {added}", *notes, *also)


def drop_added_column(name: str) -> None:
    """Drop a column if a migration added it; one that its owner had stays."""
    if name in noted(ADDED_COLUMN):
        alter(
            f"ALTER TABLE {inspect_schema().table} DROP COLUMN IF EXISTS {name}", strike(ADDED_COLUMN, name)
        )


def add_not_null_check(column: str) -> None:
    """Refuse NULL in new rows; existing rows are not checked."""
    found = inspect_schema()
    check = _not_null_check(found, column)
    if found.columns[column].nullable and not found.has_constraint(check):
        run_with_lock_retries(
            f"ALTER TABLE {found.table} ADD CONSTRAINT {check} CHECK ({column} IS NOT NULL) NOT VALID"
        )


def set_not_null(column: str) -> None:
    """Let no row hold NULL: checked while others write, so that the lock at the end is a short one."""
    found = inspect_schema()
    if not found.columns[column].nullable:
        return
    add_not_null_check(column)
    check = _not_null_check(found, column)
    run_with_lock_retries(f"ALTER TABLE {found.table} VALIDATE CONSTRAINT {check}")
    alter(
        f"ALTER TABLE {found.table} ALTER COLUMN {column} SET NOT NULL",
        f"ALTER TABLE {found.table} DROP CONSTRAINT {check}",
    )


def _not_null_check(found: SchemaInspector, column: str) -> str:
    return f"{found.table}_{column}_not_null"


def ensure_index(index: Index) -> None:
    """Build an index without blocking writers, unless one that serves as well is there.

    An invalid index of its name, left by an interrupted attempt, is dropped first. A name that the owner has
    given to another index is left alone.
    """
    found = inspect_schema()
    if not index.is_missing(found):
        return
    name = index.name
    existing = found.indexes.get(name)
    if existing is not None and not existing.valid:
        drop_index(name)
    elif found.relation_kind(name) is not None:
        name = f"{name}_2"
    report_progress(MigrationProgress(f"building the index {name}"))
    run(note(ADDED_INDEX, name))
    build = f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {index.definition(name, str(found.table))}"
    run_without_lock_timeout(build)
    while not inspect_schema().indexes[name].valid:  # an attempt that ended in a deadlock has left it so
        drop_index(name)
        run_without_lock_timeout(build)


def replace_indexes(
    needed: Sequence[Index], superseded: Sequence[Index], *, have_expressions: bool = False
) -> None:
    """Build the indexes that are missing, then drop those that no query reads by, if a migration built them.

    Args:
        have_expressions: some of the needed ones are over expressions, of which the planner knows nothing
            before statistics are gathered; of an empty table it would learn to read all.
    """
    with outside_transaction():
        for index in needed:
            ensure_index(index)
        if have_expressions and inspect_schema().any_rows("true"):
            run_without_lock_timeout("ANALYZE llama_logs")
        for index in superseded:
            drop_added_index(index.name)


def drop_added_index(name: str) -> None:
    """Drop an index if a migration built it."""
    for ours in (name, f"{name}_2"):
        if ours in noted(ADDED_INDEX):
            drop_index(ours)
            run(strike(ADDED_INDEX, ours))


def drop_index(name: str) -> None:
    run_without_lock_timeout(f"DROP INDEX CONCURRENTLY IF EXISTS {identifier(name)}")


def run_without_lock_timeout(statement: str) -> None:
    """Run a statement that may wait without limit, since its locks block no writer."""
    run("SET lock_timeout = 0")
    run_with_lock_retries(statement)
    run(f"SET lock_timeout = '{LOCK_TIMEOUT}'")


def missing_enum_values(found: SchemaInspector, column: str, values: Sequence[str]) -> list[str]:
    """Those values that a column can't hold yet; none if it is no enum."""
    enum = found.columns[column].enum
    existing_values = found.enum_values(enum) if enum else values
    return [value for value in values if value not in existing_values]


def add_enum_values(column: str, values: Sequence[str]) -> None:
    """Let a column hold these values too, each behind the one that it follows here; its own stay."""
    found = inspect_schema()
    for value in missing_enum_values(found, column, values):
        place = values.index(value)
        behind = f" AFTER '{values[place - 1]}'" if place else ""
        # A value added within a transaction can't be used before its end.
        run(f"ALTER TYPE {found.columns[column].type} ADD VALUE IF NOT EXISTS '{value}'{behind}")
