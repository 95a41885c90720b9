"""Persons that were erased, and a mark on the rows of which one was."""

from collections.abc import Iterator

from alembic import op
from migrations.altering import add_columns, drop_added_column, outside_transaction

from llamalog_service.adoption.schema_inspector import Preview, SchemaInspector

revision = "0018"
down_revision = "0016"
branch_labels = None
depends_on = None

COLUMNS = {"erased": "boolean NOT NULL DEFAULT false"}


def preview(found: SchemaInspector) -> Iterator[Preview]:
    if "erased" not in found.columns:
        yield Preview("add the column erased, false in every row")
    yield Preview("create the table erasures")


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS erasures (
            id uuid PRIMARY KEY,
            user_digest text NOT NULL,
            metadata_keys text[] NOT NULL,
            reason text NOT NULL,
            requested_by text NOT NULL,
            erased_at timestamp(3) NOT NULL,
            recorded_at timestamptz NOT NULL DEFAULT now(),
            reached uuid,
            rows_erased bigint NOT NULL DEFAULT 0,
            applied_at timestamptz
        )
        """
    )
    op.execute("CREATE INDEX IF NOT EXISTS erasures_erased_at_id_idx ON erasures (erased_at, id)")
    with outside_transaction():
        add_columns(COLUMNS)


def downgrade() -> None:
    with outside_transaction():
        for name in COLUMNS:
            drop_added_column(name)
    op.execute("DROP TABLE erasures")
