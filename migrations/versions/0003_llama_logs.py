"""The table gets the name llama_logs, and every row a category."""

from alembic import op
from migrations.looking import column_exists, create_index, enum_exists, table_exists

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# The legacy indexes keep their names: revision 0005 takes the name that one of them would get.
INDEXES = {
    "enrichment_logs_pkey": "llama_logs_pkey",
    "enrichment_logs_is_root_job_created_at_idx": "llama_logs_is_root_job_created_at_idx",
}

# In this order: what an operation is called says more than how it ended.
CATEGORY_OF_ROW = """
    CASE
        WHEN operation LIKE 'cache:%' THEN 'CACHED'
        WHEN operation = 'admin_correction' THEN 'CORRECTED'
        WHEN operation LIKE 'enrichment:%'
          OR operation LIKE 'check:%'
          OR operation LIKE 'musicbrainz:%'
          OR operation LIKE 'spotify:%'
          OR operation LIKE 'discogs:%'
          OR operation = 'PREVIEW_ENRICHMENT' THEN 'ENRICHED'
        WHEN status = 'FAILED' THEN 'FAILED'
        ELSE 'CREATED'
    END
"""


def upgrade() -> None:
    if table_exists("enrichment_logs"):
        op.execute("ALTER TABLE enrichment_logs RENAME TO llama_logs")
        for old, new in INDEXES.items():
            op.execute(f"ALTER INDEX IF EXISTS {old} RENAME TO {new}")
    if not enum_exists("LlamaLogCategory"):
        op.execute(
            """
            CREATE TYPE "LlamaLogCategory" AS ENUM
                ('CREATED', 'ENRICHED', 'CORRECTED', 'CACHED', 'FAILED')
            """
        )
    if not column_exists("llama_logs", "category"):
        op.execute('ALTER TABLE llama_logs ADD COLUMN category "LlamaLogCategory"')
    op.execute(
        f'UPDATE llama_logs SET category = ({CATEGORY_OF_ROW})::"LlamaLogCategory" WHERE category IS NULL'
    )
    op.execute("ALTER TABLE llama_logs ALTER COLUMN category SET NOT NULL")
    with op.get_context().autocommit_block():
        create_index("llama_logs_category_created_at_idx", on="llama_logs (category, created_at)")


def downgrade() -> None:
    op.execute("ALTER TABLE llama_logs DROP COLUMN category")
    op.execute('DROP TYPE "LlamaLogCategory"')
    for old, new in INDEXES.items():
        op.execute(f"ALTER INDEX IF EXISTS {new} RENAME TO {old}")
    op.execute("ALTER TABLE llama_logs RENAME TO enrichment_logs")
