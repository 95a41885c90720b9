"""Refused rows are set aside; corrections are published in the order of an index."""

from collections.abc import Iterator

from alembic import op

from llamalog_schemas.limits import MAX_JOB_LENGTH
from llamalog_service.adoption.column_checks import wide_job_columns
from llamalog_service.adoption.schema_inspector import Preview, SchemaInspector

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def preview(found: SchemaInspector) -> Iterator[Preview]:
    yield Preview("create the table refused_rows, order the waiting corrections by time")
    for name in wide_job_columns(found):
        yield Preview(
            f"leave {name} of type {found.columns[name].type}: a row that names a job of more than "
            f"{MAX_JOB_LENGTH} characters there will be set aside without a root"
        )


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS refused_rows (
            row_id uuid NOT NULL,
            write text NOT NULL,
            seen xid,
            aim text,
            sqlstate text NOT NULL,
            reason text NOT NULL,
            first_at timestamptz NOT NULL DEFAULT now(),
            last_at timestamptz NOT NULL DEFAULT now(),
            attempts integer NOT NULL DEFAULT 1,
            PRIMARY KEY (row_id, write)
        )
        """
    )
    op.execute("CREATE INDEX IF NOT EXISTS refused_rows_first_at_idx ON refused_rows (first_at, row_id)")
    op.execute("DROP INDEX provenance_outbox_prompt_idx")
    op.execute(
        "CREATE INDEX provenance_outbox_prompt_idx "
        "ON provenance_outbox (noted_at, row_id, revision) WHERE NOT bulk"
    )


def downgrade() -> None:
    op.execute("DROP INDEX provenance_outbox_prompt_idx")
    op.execute("CREATE INDEX provenance_outbox_prompt_idx ON provenance_outbox (noted_at) WHERE NOT bulk")
    op.execute("DROP TABLE refused_rows")
