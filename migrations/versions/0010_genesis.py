"""Marks on legacy rows and on overrides of backfills: has an event been published for each?"""

from collections.abc import Iterator

from alembic import op
from migrations.altering import (
    Index,
    add_columns,
    drop_added_column,
    drop_added_index,
    ensure_index,
    outside_transaction,
)
from migrations.batches import change_rows
from migrations.journal import TAKEN_OVER, noted, quoted

from llamalog_service.adoption.schema_inspector import Preview, SchemaInspector

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

INDEX = Index(
    "llama_logs_eventless_idx",
    "id",
    where="legacy_told IS FALSE OR legacy_told IS NULL AND origin IS NULL",
    exact=True,
)


def preview(found: SchemaInspector) -> Iterator[Preview]:
    if "legacy_told" not in found.columns:
        yield Preview("add the column legacy_told, NULL in every row")
    yield Preview("create the tables telling_progress, removed_rows")
    yield from INDEX.preview(found)


def upgrade() -> None:
    op.execute("ALTER TABLE root_decrees ADD COLUMN IF NOT EXISTS told boolean NOT NULL DEFAULT false")
    # A backfill derives the ids of its overrides; those of operators were published as events.
    op.execute("UPDATE root_decrees SET told = true WHERE substr(id::text, 15, 1) <> '5'")
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS telling_progress (
            what text PRIMARY KEY,
            last_row uuid NOT NULL,
            updated_at timestamptz NOT NULL DEFAULT now()
        )
        """
    )
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS removed_rows (
            row_id uuid NOT NULL,
            removed_at timestamptz NOT NULL DEFAULT now(),
            content jsonb NOT NULL,
            told boolean NOT NULL DEFAULT false,
            PRIMARY KEY (row_id, removed_at)
        )
        """
    )
    op.execute("CREATE INDEX IF NOT EXISTS removed_rows_untold_idx ON removed_rows (row_id) WHERE NOT told")
    with outside_transaction():
        add_columns({"legacy_told": "boolean"})
        # Others get the mark from the first repair or sweep.
        for taken_over in noted(TAKEN_OVER).values():
            change_rows(
                "marking rows of which no event tells",
                "UPDATE llama_logs l SET legacy_told = false WHERE {rows}",
                f"l.legacy_told IS NULL AND l.origin IS NOT NULL "
                f"AND l.recorded_at = {quoted(taken_over or '')}::timestamptz",
            )
        ensure_index(INDEX)


def downgrade() -> None:
    with outside_transaction():
        drop_added_index(INDEX.name)
        drop_added_column("legacy_told")
    op.execute("DROP TABLE telling_progress, removed_rows")
    op.execute("ALTER TABLE root_decrees DROP COLUMN told")
