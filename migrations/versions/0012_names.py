"""Tables, columns and indexes of llamalog's own bear the names that the code uses; no row is changed."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from migrations.altering import alter, outside_transaction, run, run_with_lock_retries
from migrations.journal import ADDED_COLUMN, ADDED_INDEX, identifier, noted, quoted, rename

from llamalog_service.adoption.schema_inspector import Preview, SchemaInspector

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


class Renaming(NamedTuple):
    """The new name of a table and the new names of its columns and indexes; constraints follow from these."""

    table: str
    new_table: str
    columns: Mapping[str, str]
    indexes: Mapping[str, str] = {}

    @property
    def reversed(self) -> "Renaming":
        return Renaming(
            self.new_table,
            self.table,
            {new: old for old, new in self.columns.items()},
            {new: old for old, new in self.indexes.items()},
        )

    @property
    def is_done(self) -> bool:
        """Whether an interrupted attempt has renamed them: it renames all of a table or nothing."""
        if self.table != self.new_table:
            return run(f"SELECT to_regclass({quoted(self.table)})").scalar() is None
        return not any(_has_column(self.table, column) for column in self.columns)

    def statements(self) -> Iterator[str]:
        table = identifier(self.new_table)
        if self.table != self.new_table:
            yield f"ALTER TABLE {identifier(self.table)} RENAME TO {table}"
        for column, new in self.columns.items():
            yield f"ALTER TABLE {table} RENAME COLUMN {identifier(column)} TO {identifier(new)}"
        for index, new in self.indexes.items():
            yield f"ALTER INDEX {identifier(index)} RENAME TO {identifier(new)}"
        for constraint in _constraints(self.table):
            if (new := self.follow(constraint)) != constraint:
                yield f"ALTER TABLE {table} RENAME CONSTRAINT {identifier(constraint)} TO {identifier(new)}"

    def follow(self, constraint: str) -> str:
        """The name of a constraint, as of TABLE_pkey or TABLE_COLUMN_check, under the new names."""
        for column, new in self.columns.items():
            constraint = re.sub(rf"^{self.table}_{column}_", f"{self.table}_{new}_", constraint)
        return re.sub(rf"^{self.table}_", f"{self.new_table}_", constraint)


OWN = (
    Renaming(
        "root_decrees",
        "root_overrides",
        {"decreed_at": "overridden_at", "told": "is_sourced"},
        {"root_decrees_job_id_decreed_at_id_idx": "root_overrides_job_id_overridden_at_id_idx"},
    ),
    Renaming("telling_progress", "publishing_progress", {"what": "publication"}),
    Renaming(
        "removed_rows",
        "removed_rows",
        {"told": "is_published"},
        {"removed_rows_untold_idx": "removed_rows_unpublished_idx"},
    ),
    Renaming("backfill_runs", "backfill_runs", {"end_told": "end_published", "wish": "requested_action"}),
    Renaming("backfill_plan", "backfill_plan", {"takes_in": "needs_normalising"}),
)

COLUMN, NEW_COLUMN = "legacy_told", "legacy_sourced"
INDEX, NEW_INDEX = "llama_logs_to_take_in_idx", "llama_logs_to_normalise_idx"

COMMENT = (
    "How root_job_id is known: ROOT (it is the row's own job), RESOLVED (by following parents), ADOPTED (an "
    "operator's decree), DECLARED (a producer's word); or why it is NULL: PENDING (the topmost job named was "
    "never seen), CYCLE (the chain comes back to itself: cycle_members), UNTRACKED (the row names no job "
    "and no parent: origin unknown). NULL means that nobody has looked at the row yet."
)
NEW_COMMENT = (
    "How root_job_id is known: ROOT (it is the row's own job), RESOLVED (by following parents), ADOPTED (by "
    "an operator's override), DECLARED (by the producer); or why it is NULL: PENDING (the topmost job named "
    "was never seen), CYCLE (the chain comes back to itself: cycle_members), UNTRACKED (the row names no job "
    "and no parent: origin unknown). NULL means that the row is not processed yet."
)


def preview(_: SchemaInspector) -> Iterator[Preview]:
    yield Preview(
        "rename the tables root_decrees and telling_progress, columns and indexes of llamalog's own"
    )


def upgrade() -> None:
    with outside_transaction():
        for own in OWN:
            _rename(own)
        _rename_of_log(COLUMN, NEW_COLUMN, INDEX, NEW_INDEX)
        _comment_on_origin(NEW_COMMENT)


def downgrade() -> None:
    with outside_transaction():
        _comment_on_origin(COMMENT)
        _rename_of_log(NEW_COLUMN, COLUMN, NEW_INDEX, INDEX)
        for own in reversed(OWN):
            _rename(own.reversed)


def _rename(renaming: Renaming) -> None:
    """Rename a table and what belongs to it in one transaction."""
    if not renaming.is_done:
        alter(*renaming.statements())


def _rename_of_log(column: str, new_column: str, index: str, new_index: str) -> None:
    """Rename what migrations added to the log; the journal follows, as down-migrations go by it."""
    if _has_column("llama_logs", column):
        alter(
            f"ALTER TABLE llama_logs RENAME COLUMN {column} TO {new_column}",
            rename(ADDED_COLUMN, column, new_column),
        )
    for suffix in ("", "_2"):
        old, new = f"{index}{suffix}", f"{new_index}{suffix}"
        if old in noted(ADDED_INDEX):
            alter(f"ALTER INDEX {old} RENAME TO {new}", rename(ADDED_INDEX, old, new))


def _comment_on_origin(comment: str) -> None:
    run_with_lock_retries(f"COMMENT ON COLUMN llama_logs.origin IS {quoted(comment)}")


def _has_column(table: str, column: str) -> bool:
    found = run(
        f"SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = {quoted(table)}::regclass "
        f"AND attname = {quoted(column)} AND NOT attisdropped)"
    )
    return bool(found.scalar())


def _constraints(table: str) -> list[str]:
    found = run(
        f"SELECT conname FROM pg_constraint WHERE conrelid = {quoted(table)}::regclass ORDER BY conname"
    )
    return list(found.scalars())
