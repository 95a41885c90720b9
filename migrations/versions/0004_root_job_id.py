"""A row can name its root, and say that an entity was linked rather than created."""

from collections.abc import Iterator

from migrations.altering import (
    Index,
    add_columns,
    add_enum_values,
    drop_added_column,
    drop_added_index,
    ensure_index,
    missing_enum_values,
    outside_transaction,
)

from llamalog_service.adoption.schema_inspector import Preview, SchemaInspector

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ROOT_INDEX = Index("llama_logs_root_job_id_idx", "root_job_id", where="root_job_id IS NOT NULL")
CATEGORIES = ("CREATED", "LINKED", "ENRICHED", "CORRECTED", "CACHED", "FAILED")


def preview(found: SchemaInspector) -> Iterator[Preview]:
    if "root_job_id" not in found.columns:
        yield Preview("add the column root_job_id, NULL in every row")
    missing = (
        missing_enum_values(found, "category", CATEGORIES) if "category" in found.columns else ["LINKED"]
    )
    for value in missing:
        yield Preview(f"add the category {value}")
    yield from ROOT_INDEX.preview(found)


def upgrade() -> None:
    with outside_transaction():
        add_columns({"root_job_id": "varchar(100)"})
        add_enum_values("category", CATEGORIES)
        ensure_index(ROOT_INDEX)


def downgrade() -> None:
    # LINKED stays: PostgreSQL takes no value out of an enum, and rows may bear it.
    with outside_transaction():
        drop_added_index(ROOT_INDEX.name)
        drop_added_column("root_job_id")
