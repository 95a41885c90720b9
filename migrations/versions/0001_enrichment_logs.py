"""The table before it had roots: enrichment_logs, with parent_job_id.

An existing table of the log, of any name and age, is taken over as it is.
"""

from collections.abc import Iterator

from alembic import op
from migrations.altering import OURS, add_columns, drop_added_column, outside_transaction
from migrations.journal import ADDED_ENUM, ADDED_TABLE, create_journal, inspect_schema, note, noted

from llamalog_service.adoption.schema_inspector import JOURNAL, Preview, SchemaInspector

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ENUMS = {
    "EnrichmentEntityType": "'ALBUM', 'ARTIST', 'TRACK'",
    "EnrichmentStatus": (
        "'SUCCESS', 'PARTIAL_SUCCESS', 'FAILED', 'NO_DATA_AVAILABLE', 'SKIPPED', 'PREVIEW', "
        "'PENDING', 'QUEUED', 'IN_PROGRESS', 'COMPLETED'"
    ),
    "DataQuality": "'LOW', 'MEDIUM', 'HIGH'",
}

COLUMNS = {
    "id": "uuid PRIMARY KEY",
    "entity_type": '"EnrichmentEntityType"',
    "entity_id": "uuid",
    "artist_id": "uuid",
    "album_id": "uuid",
    "track_id": "uuid",
    "operation": "varchar(100) NOT NULL",
    "sources": "text[] NOT NULL DEFAULT '{}'",
    "status": '"EnrichmentStatus" NOT NULL',
    "reason": "text",
    "fields_enriched": "text[] NOT NULL DEFAULT '{}'",
    "data_quality_before": '"DataQuality"',
    "data_quality_after": '"DataQuality"',
    "error_message": "text",
    "error_code": "varchar(50)",
    "retry_count": "integer",
    "duration_ms": "integer",
    "api_call_count": "integer",
    "metadata": "jsonb",
    "preview_data": "jsonb",
    "job_id": "varchar(100)",
    "parent_job_id": "varchar(100)",
    "triggered_by": "varchar(50)",
    "user_id": "text",
    "created_at": "timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP",
}

INDEXES = {
    "enrichment_logs_entity_type_entity_id_idx": "entity_type, entity_id",
    "enrichment_logs_created_at_idx": "created_at",
    "enrichment_logs_job_id_idx": "job_id",
    "enrichment_logs_parent_job_id_idx": "parent_job_id",
}


def preview(found: SchemaInspector) -> Iterator[Preview]:
    if found.table is None:
        yield Preview("create the table enrichment_logs, empty, with its enums and indexes")
    for name in _missing(found):
        yield Preview(f"add the column {name}, NULL in every row")


def upgrade() -> None:
    create_journal()
    _create_enums()
    if inspect_schema().table is None:
        _create_table()
    with outside_transaction():
        add_columns({name: COLUMNS[name] for name in _missing(inspect_schema())})


def _missing(found: SchemaInspector) -> list[str]:
    """The parts that the table lacks; it has at least what makes it a log (`adoption/migration_check.py`)."""
    existing = found.columns
    return [name for name in COLUMNS if name not in existing] if existing else []


def _create_enums() -> None:
    found = inspect_schema()
    for name, values in ENUMS.items():
        if not found.enum_values(name):
            op.execute(f'CREATE TYPE "{name}" AS ENUM ({values})')
            op.execute(note(ADDED_ENUM, name))


def _create_table() -> None:
    columns = ", ".join(f"{name} {definition}" for name, definition in COLUMNS.items())
    op.execute(f"CREATE TABLE enrichment_logs ({columns})")
    op.execute(note(ADDED_TABLE, "enrichment_logs"))
    for name, indexed in INDEXES.items():
        op.execute(f"CREATE INDEX {name} ON enrichment_logs ({indexed})")
        op.execute(f"COMMENT ON INDEX {name} IS '{OURS}'")


def downgrade() -> None:
    if noted(ADDED_TABLE):
        op.execute("DROP TABLE enrichment_logs")
    else:
        with outside_transaction():
            for name in COLUMNS:
                drop_added_column(name)
    for name in noted(ADDED_ENUM):
        op.execute(f'DROP TYPE "{name}"')
    op.execute(f"DROP TABLE {JOURNAL}")
