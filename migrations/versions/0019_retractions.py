"""Events that were taken back, and a mark on their rows."""

from collections.abc import Iterator

from alembic import op
from migrations.altering import add_columns, drop_added_column, outside_transaction

from llamalog_service.adoption.schema_inspector import Preview, SchemaInspector

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

COLUMNS = {"retracted": "boolean NOT NULL DEFAULT false"}


def preview(found: SchemaInspector) -> Iterator[Preview]:
    if "retracted" not in found.columns:
        yield Preview("add the column retracted, false in every row")
    yield Preview("create the table retractions")


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS retractions (
            id uuid PRIMARY KEY,
            row_id uuid NOT NULL,
            retracted boolean NOT NULL,
            reason text NOT NULL,
            requested_by text NOT NULL,
            retracted_at timestamp(3) NOT NULL,
            recorded_at timestamptz NOT NULL DEFAULT now(),
            waits_since timestamptz DEFAULT clock_timestamp()
        )
        """
    )
    op.execute(
        "CREATE INDEX IF NOT EXISTS retractions_row_id_retracted_at_id_idx "
        "ON retractions (row_id, retracted_at, id)"
    )
    op.execute("CREATE INDEX IF NOT EXISTS retractions_retracted_at_id_idx ON retractions (retracted_at, id)")
    op.execute(
        "CREATE INDEX IF NOT EXISTS retractions_waiting_idx ON retractions (row_id, id) "
        "WHERE waits_since IS NOT NULL"
    )
    with outside_transaction():
        add_columns(COLUMNS)


def downgrade() -> None:
    with outside_transaction():
        for name in COLUMNS:
            drop_added_column(name)
    op.execute("DROP TABLE retractions")
