"""What a legacy row said and the rules of roots overrule is kept aside."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS legacy_values (
            row_id uuid PRIMARY KEY,
            parent_job_id varchar(100),
            root_job_id varchar(100),
            kept_at timestamptz NOT NULL DEFAULT now()
        )
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE legacy_values")
