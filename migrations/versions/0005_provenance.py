"""Roots get an origin; beside the log stand positions, decrees, the outbox and the runs."""

from collections.abc import Iterator

from alembic import op
from migrations.altering import (
    OURS,
    Index,
    add_columns,
    alter,
    drop_added_column,
    drop_added_index,
    drop_index,
    ensure_index,
    outside_transaction,
    run,
    run_with_lock_retries,
)
from migrations.journal import (
    ADDED_ENUM,
    ADDED_INDEX,
    CHANGED_DEFAULT,
    DROPPED_INDEX,
    TAKEN_OVER,
    inspect_schema,
    note,
    note_value,
    noted,
    strike,
)

from llamalog_service.adoption.schema_inspector import Preview, SchemaInspector

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

INDEXES = (
    Index("llama_logs_job_id_created_at_id_idx", "job_id, created_at, id", where="job_id IS NOT NULL"),
    Index("llama_logs_parent_job_id_idx", "parent_job_id", where="parent_job_id IS NOT NULL"),
    Index("llama_logs_album_id_created_at_idx", "album_id, created_at", where="album_id IS NOT NULL"),
    Index(
        "llama_logs_unsettled_idx",
        "id",
        where="origin IS NULL OR origin IN ('PENDING', 'DECLARED')",
        exact=True,
    ),
)

# Constants, or what is the same for all rows of a statement: the catalogue keeps them, no row is written.
COLUMNS = {
    "origin": '"LlamaLogOrigin"',
    "declared_root_job_id": "varchar(100)",
    "cycle_members": "text[]",
    "parent_conflict": "boolean NOT NULL DEFAULT false",
    "revision": "integer NOT NULL DEFAULT 1",
    "recorded_at": "timestamptz NOT NULL DEFAULT now()",
}

# No named query of ours reads by them. Who adopted a table keeps its indexes: its readers may.
SUPERSEDED = {
    "enrichment_logs_entity_type_entity_id_idx": "entity_type, entity_id",
    "enrichment_logs_created_at_idx": "created_at",
    "enrichment_logs_job_id_idx": "job_id",
    "enrichment_logs_parent_job_id_idx": "parent_job_id",
}

ROOT_JOB_ID_COMMENT = (
    "The topmost job of the chain that the row belongs to. NULL means that we don''t know it; "
    "the column origin says why."
)
ORIGIN_COMMENT = (
    "How root_job_id is known: ROOT (it is the row''s own job), RESOLVED (by following parents), ADOPTED (an "
    "operator''s decree), DECLARED (a producer''s word); or why it is NULL: PENDING (the topmost job named "
    "was never seen), CYCLE (the chain comes back to itself: cycle_members), UNTRACKED (the row names no job "
    "and no parent: origin unknown). NULL means that nobody has looked at the row yet."
)


def preview(found: SchemaInspector) -> Iterator[Preview]:
    existing = found.columns
    added = [name for name in COLUMNS if name not in existing]
    if added:
        yield Preview(f"add the columns {', '.join(added)}, with what is the same for every row")
    if _has_local_default(found):
        yield Preview("let created_at default to the time in UTC")
    yield Preview("create the tables consumer_positions, root_decrees, provenance_outbox, backfill_runs")
    for index in INDEXES:
        yield from index.preview(found)


def upgrade() -> None:
    create_tables()
    with outside_transaction():
        add_columns_of_roots()
        drop_superseded()
        for index in INDEXES:
            ensure_index(index)


def add_columns_of_roots() -> None:
    if not inspect_schema().enum_values("LlamaLogOrigin"):
        alter(
            """
            CREATE TYPE "LlamaLogOrigin" AS ENUM
                ('ROOT', 'RESOLVED', 'CYCLE', 'ADOPTED', 'DECLARED', 'PENDING', 'UNTRACKED')
            """,
            note(ADDED_ENUM, "LlamaLogOrigin"),
        )
    add_columns(COLUMNS, note_value(TAKEN_OVER, "llama_logs", "now()::text"))
    found = inspect_schema()
    if _has_local_default(found):
        alter(
            "ALTER TABLE llama_logs ALTER COLUMN created_at SET DEFAULT (now() AT TIME ZONE 'utc')",
            note(CHANGED_DEFAULT, "created_at", found.columns["created_at"].default),
        )
    run_with_lock_retries(f"COMMENT ON COLUMN llama_logs.root_job_id IS '{ROOT_JOB_ID_COMMENT}'")
    run_with_lock_retries(f"COMMENT ON COLUMN llama_logs.origin IS '{ORIGIN_COMMENT}'")


def _has_local_default(found: SchemaInspector) -> bool:
    """A time without zone that defaults to the clock of the zone that a session is in."""
    created_at = found.columns.get("created_at")
    return (
        created_at is not None
        and created_at.type.endswith("without time zone")
        and created_at.default in ("CURRENT_TIMESTAMP", "now()")
    )


def drop_superseded() -> None:
    for name in SUPERSEDED:
        if _is_ours(name):
            run(note(DROPPED_INDEX, name))
            drop_index(name)


def _is_ours(index: str) -> bool:
    comment = run(f"SELECT obj_description(to_regclass('{index}'), 'pg_class')").scalar()
    return bool(comment == OURS)


def create_tables() -> None:
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS consumer_positions (
            consumer_group text NOT NULL,
            topic text NOT NULL,
            partition integer NOT NULL,
            next_offset bigint NOT NULL,
            updated_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (consumer_group, topic, partition)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS root_decrees (
            id uuid PRIMARY KEY,
            job_id varchar(100) NOT NULL,
            adopted boolean NOT NULL,
            reason text NOT NULL,
            requested_by text NOT NULL,
            decreed_at timestamp(3) NOT NULL,
            recorded_at timestamptz NOT NULL DEFAULT now()
        )
        """
    )
    op.execute(
        "CREATE INDEX IF NOT EXISTS root_decrees_job_id_decreed_at_id_idx "
        "ON root_decrees (job_id, decreed_at, id)"
    )
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS provenance_outbox (
            row_id uuid NOT NULL,
            revision integer NOT NULL,
            noted_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (row_id, revision)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS backfill_runs (
            id uuid PRIMARY KEY,
            kind text NOT NULL,
            jobs text[] NOT NULL,
            reason text NOT NULL,
            status text NOT NULL
                CONSTRAINT backfill_runs_status_check
                CHECK (status IN ('queued', 'running', 'completed', 'failed')),
            requested_at timestamptz NOT NULL DEFAULT now(),
            started_at timestamptz,
            finished_at timestamptz,
            passes integer NOT NULL DEFAULT 0,
            rows_changed integer NOT NULL DEFAULT 0,
            error text
        )
        """
    )
    op.execute(
        "CREATE INDEX IF NOT EXISTS backfill_runs_open_idx "
        "ON backfill_runs (requested_at) WHERE status IN ('queued', 'running')"
    )


def downgrade() -> None:
    for table in ("backfill_runs", "provenance_outbox", "root_decrees", "consumer_positions"):
        op.execute(f"DROP TABLE {table}")
    with outside_transaction():
        restore_superseded()
        for index in INDEXES:
            drop_added_index(index.name)
        run_with_lock_retries("COMMENT ON COLUMN llama_logs.root_job_id IS NULL")
        for name in COLUMNS:
            drop_added_column(name)
        run(strike(TAKEN_OVER, "llama_logs"))
        for name, default in noted(CHANGED_DEFAULT).items():
            alter(
                f"ALTER TABLE llama_logs ALTER COLUMN {name} SET DEFAULT {default}",
                strike(CHANGED_DEFAULT, name),
            )
        if "LlamaLogOrigin" in noted(ADDED_ENUM):
            alter('DROP TYPE "LlamaLogOrigin"', strike(ADDED_ENUM, "LlamaLogOrigin"))


def restore_superseded() -> None:
    for name in noted(DROPPED_INDEX):
        ensure_index(Index(name, SUPERSEDED[name], exact=True))
        run_with_lock_retries(f"COMMENT ON INDEX {name} IS '{OURS}'")
        run(strike(DROPPED_INDEX, name))
        run(strike(ADDED_INDEX, name))
