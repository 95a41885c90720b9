"""A row says whether its job has no parent."""

from collections.abc import Iterator

from migrations.altering import (
    Index,
    add_columns,
    drop_added_column,
    drop_added_index,
    ensure_index,
    outside_transaction,
)
from migrations.batches import change_rows
from migrations.journal import ADDED_COLUMN, inspect_schema, noted

from llamalog_service.adoption.schema_inspector import Preview, SchemaInspector

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INDEX_COLUMNS = "is_root_job, created_at"
NO_PARENT = "l.job_id IS NOT NULL AND l.parent_job_id IS NULL"


def preview(found: SchemaInspector) -> Iterator[Preview]:
    if "is_root_job" not in found.columns:
        yield Preview(
            "add the column is_root_job, true where a row bears a job and no parent", found.rows(NO_PARENT)
        )
    elif "is_root_job" in found.noted(ADDED_COLUMN):
        yield Preview("set is_root_job where it is left", found.rows(f"{NO_PARENT} AND NOT l.is_root_job"))
    yield from _index(found).preview(found)


def upgrade() -> None:
    with outside_transaction():
        # A constant default is kept in the catalogue: no row is written, no reader sees NULL.
        add_columns({"is_root_job": "boolean NOT NULL DEFAULT false"})
        # Where the column stood already, its writer knew better than this rule.
        if "is_root_job" in noted(ADDED_COLUMN):
            change_rows(
                "telling root jobs",
                f"UPDATE {inspect_schema().table} l SET is_root_job = true WHERE {{rows}}",
                f"{NO_PARENT} AND NOT l.is_root_job",
                passes=2,  # revision 0006 looks for them again
            )
        ensure_index(_index(inspect_schema()))


def _index(found: SchemaInspector) -> Index:
    return Index(f"{found.table or 'enrichment_logs'}_is_root_job_created_at_idx", INDEX_COLUMNS)


def downgrade() -> None:
    with outside_transaction():
        drop_added_index("enrichment_logs_is_root_job_created_at_idx")
        drop_added_index("llama_logs_is_root_job_created_at_idx")
        drop_added_column("is_root_job")
