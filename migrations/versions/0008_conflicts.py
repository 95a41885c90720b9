"""The rows that contradict others can be listed without a walk through the log."""

from collections.abc import Iterator

from migrations.altering import Index, drop_added_index, ensure_index, outside_transaction

from llamalog_service.adoption.schema_inspector import Preview, SchemaInspector

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

INDEX = Index(
    "llama_logs_conflicts_idx",
    "created_at, id",
    where="parent_conflict OR declared_root_job_id <> root_job_id OR origin = 'CYCLE'",
    exact=True,
)


def preview(found: SchemaInspector) -> Iterator[Preview]:
    yield from INDEX.preview(found)


def upgrade() -> None:
    with outside_transaction():
        ensure_index(INDEX)


def downgrade() -> None:
    with outside_transaction():
        drop_added_index(INDEX.name)
