"""A row can name its root, and say that an entity was linked rather than created."""

from alembic import op
from migrations.looking import create_index

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE llama_logs ADD COLUMN IF NOT EXISTS root_job_id varchar(100)")
    with op.get_context().autocommit_block():
        # A value added within a transaction can't be used before its end.
        op.execute("""ALTER TYPE "LlamaLogCategory" ADD VALUE IF NOT EXISTS 'LINKED' AFTER 'CREATED'""")
        create_index(
            "llama_logs_root_job_id_idx", on="llama_logs (root_job_id) WHERE root_job_id IS NOT NULL"
        )


def downgrade() -> None:
    # LINKED stays: PostgreSQL takes no value out of an enum, and rows may bear it.
    op.execute("ALTER TABLE llama_logs DROP COLUMN root_job_id")
