"""The table gets the name llama_logs, and every row a category."""

from collections.abc import Iterator

from alembic import context, op
from migrations.altering import (
    Index,
    add_columns,
    add_not_null_check,
    alter,
    drop_added_column,
    drop_added_index,
    ensure_index,
    outside_transaction,
    set_not_null,
)
from migrations.batches import change_rows
from migrations.journal import (
    ADDED_ENUM,
    ADDED_INDEX,
    RENAMED_INDEX,
    RENAMED_TABLE,
    inspect_schema,
    note,
    noted,
    rename,
    strike,
)

from llamalog_service.adoption.compat_view import ADDED_VIEW, VIEW, compat_view_statements
from llamalog_service.adoption.schema_inspector import Preview, SchemaInspector

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

CATEGORY_INDEX = Index("llama_logs_category_created_at_idx", "category, created_at")

# The other indexes keep their names: revision 0005 takes the name that one of them would get.
RENAMED = {
    "enrichment_logs_pkey": "llama_logs_pkey",
    "enrichment_logs_is_root_job_created_at_idx": "llama_logs_is_root_job_created_at_idx",
}

# In this order: what an operation is called says more than how it ended.
CATEGORY_OF_ROW = """
    CASE
        WHEN l.operation LIKE 'cache:%' THEN 'CACHED'
        WHEN l.operation = 'admin_correction' THEN 'CORRECTED'
        WHEN l.operation LIKE 'enrichment:%'
          OR l.operation LIKE 'check:%'
          OR l.operation LIKE 'musicbrainz:%'
          OR l.operation LIKE 'spotify:%'
          OR l.operation LIKE 'discogs:%'
          OR l.operation = 'PREVIEW_ENRICHMENT' THEN 'ENRICHED'
        WHEN l.status::text = 'FAILED' THEN 'FAILED'
        ELSE 'CREATED'
    END
"""


def preview(found: SchemaInspector) -> Iterator[Preview]:
    if found.table != "llama_logs":
        yield Preview("rename the table to llama_logs")
    category = found.columns.get("category")
    if category is None:
        yield Preview("add the column category, and backfill it from operation and status", found.rows())
    elif category.nullable:
        yield Preview("backfill category where it is NULL", found.rows("l.category IS NULL"))
    yield from CATEGORY_INDEX.preview(found)


def upgrade() -> None:
    with outside_transaction():
        _rename()
        _create_enum()
        add_columns({"category": '"LlamaLogCategory"'})
        if inspect_schema().columns["category"].nullable:
            _backfill_category(passes=1)
            add_not_null_check("category")
            _backfill_category()  # what others wrote meanwhile
            set_not_null("category")
        ensure_index(CATEGORY_INDEX)


def _backfill_category(*, passes: int | None = None) -> None:
    category = inspect_schema().columns["category"].type
    change_rows(
        "backfilling categories",
        f"UPDATE llama_logs l SET category = ({CATEGORY_OF_ROW})::{category} WHERE {{rows}}",
        "l.category IS NULL",
        passes=passes,
    )


def _rename() -> None:
    if inspect_schema().table == "enrichment_logs":
        # In the same transaction: readers of the old name are not to find it gone.
        wants_view = context.config.attributes.get("compat_view", False)
        view = compat_view_statements(op.get_bind()) if wants_view else []
        alter(
            "ALTER TABLE enrichment_logs RENAME TO llama_logs",
            note(RENAMED_TABLE, "llama_logs", before="enrichment_logs"),
            *view,
        )
    if noted(RENAMED_TABLE):
        for old, new in RENAMED.items():
            if old in inspect_schema().indexes and inspect_schema().relation_kind(new) is None:
                alter(
                    f"ALTER INDEX {old} RENAME TO {new}",
                    note(RENAMED_INDEX, new, before=old),
                    rename(ADDED_INDEX, old, new),
                )


def _create_enum() -> None:
    if not inspect_schema().enum_values("LlamaLogCategory"):
        alter(
            """
            CREATE TYPE "LlamaLogCategory" AS ENUM
                ('CREATED', 'ENRICHED', 'CORRECTED', 'CACHED', 'FAILED')
            """,
            note(ADDED_ENUM, "LlamaLogCategory"),
        )


def downgrade() -> None:
    with outside_transaction():
        drop_added_index(CATEGORY_INDEX.name)
        drop_added_column("category")
        if "LlamaLogCategory" in noted(ADDED_ENUM):
            alter('DROP TYPE "LlamaLogCategory"', strike(ADDED_ENUM, "LlamaLogCategory"))
        for new, old in noted(RENAMED_INDEX).items():
            alter(
                f"ALTER INDEX IF EXISTS {new} RENAME TO {old}",
                strike(RENAMED_INDEX, new),
                rename(ADDED_INDEX, new, str(old)),
            )
        if noted(ADDED_VIEW):
            alter(f"DROP VIEW IF EXISTS {VIEW}", strike(ADDED_VIEW, VIEW))
        if noted(RENAMED_TABLE):
            alter("ALTER TABLE llama_logs RENAME TO enrichment_logs", strike(RENAMED_TABLE, "llama_logs"))
