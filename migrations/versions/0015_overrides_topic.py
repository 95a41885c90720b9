"""Overrides have a topic of their own: marks on those that it lacks, and an index for their list.

Those that operators published among the entity events keep their effect; `llamalog overrides publish` moves
them over. Those of backfills are published by the migration consumer.
"""

from collections.abc import Iterator

from alembic import op

from llamalog_service.adoption.schema_inspector import Preview, SchemaInspector

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def preview(found: SchemaInspector) -> Iterator[Preview]:
    yield Preview("mark the overrides that their topic lacks")


def upgrade() -> None:
    op.execute(
        "ALTER TABLE root_overrides ADD COLUMN IF NOT EXISTS to_publish boolean NOT NULL DEFAULT false"
    )
    op.execute("UPDATE root_overrides SET to_publish = true WHERE NOT is_sourced")
    op.execute("UPDATE root_overrides SET is_sourced = false WHERE is_sourced")
    op.execute(
        "CREATE INDEX IF NOT EXISTS root_overrides_overridden_at_id_idx ON root_overrides (overridden_at, id)"
    )
    op.execute(
        "CREATE INDEX IF NOT EXISTS root_overrides_to_publish_idx ON root_overrides (id) WHERE to_publish"
    )


def downgrade() -> None:
    op.execute("DROP INDEX root_overrides_overridden_at_id_idx, root_overrides_to_publish_idx")
    # Among entity events were, and are, those of operators, and those of backfills that were published there.
    op.execute("UPDATE root_overrides SET is_sourced = NOT to_publish")
    op.execute("ALTER TABLE root_overrides DROP COLUMN to_publish")
