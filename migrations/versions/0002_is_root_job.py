"""A row says whether its job has no parent."""

from alembic import op
from migrations.looking import column_exists, create_index

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Where the column stands already, its writer knew better than this rule.
    if not column_exists("enrichment_logs", "is_root_job"):
        op.execute("ALTER TABLE enrichment_logs ADD COLUMN is_root_job boolean NOT NULL DEFAULT false")
        op.execute(
            "UPDATE enrichment_logs SET is_root_job = true WHERE job_id IS NOT NULL AND parent_job_id IS NULL"
        )
    with op.get_context().autocommit_block():
        create_index(
            "enrichment_logs_is_root_job_created_at_idx", on="enrichment_logs (is_root_job, created_at)"
        )


def downgrade() -> None:
    op.execute("ALTER TABLE enrichment_logs DROP COLUMN is_root_job")
