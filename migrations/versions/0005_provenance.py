"""Roots get an origin; beside the log stand positions, decrees, the outbox and the runs."""

from alembic import op
from migrations.looking import OURS, create_index, enum_exists, index_exists, index_is_ours

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

INDEXES = {
    "llama_logs_job_id_created_at_id_idx": "(job_id, created_at, id) WHERE job_id IS NOT NULL",
    "llama_logs_parent_job_id_idx": "(parent_job_id) WHERE parent_job_id IS NOT NULL",
    "llama_logs_album_id_created_at_idx": "(album_id, created_at) WHERE album_id IS NOT NULL",
    "llama_logs_unsettled_idx": "(id) WHERE origin IS NULL OR origin IN ('PENDING', 'DECLARED')",
}

# No named query of ours reads by them. Who adopted a table keeps its indexes: its readers may.
SUPERSEDED = {
    "enrichment_logs_entity_type_entity_id_idx": "(entity_type, entity_id)",
    "enrichment_logs_created_at_idx": "(created_at)",
    "enrichment_logs_job_id_idx": "(job_id)",
    "enrichment_logs_parent_job_id_idx": "(parent_job_id)",
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


def upgrade() -> None:
    add_columns()
    create_tables()
    with op.get_context().autocommit_block():
        for name, columns in INDEXES.items():
            create_index(name, on=f"llama_logs {columns}")
        for name in SUPERSEDED:
            if index_is_ours(name):
                op.execute(f"DROP INDEX CONCURRENTLY {name}")


def add_columns() -> None:
    if not enum_exists("LlamaLogOrigin"):
        op.execute(
            """
            CREATE TYPE "LlamaLogOrigin" AS ENUM
                ('ROOT', 'RESOLVED', 'CYCLE', 'ADOPTED', 'DECLARED', 'PENDING', 'UNTRACKED')
            """
        )
    op.execute(
        """
        ALTER TABLE llama_logs
            ADD COLUMN IF NOT EXISTS origin "LlamaLogOrigin",
            ADD COLUMN IF NOT EXISTS declared_root_job_id varchar(100),
            ADD COLUMN IF NOT EXISTS cycle_members text[],
            ADD COLUMN IF NOT EXISTS parent_conflict boolean NOT NULL DEFAULT false,
            ADD COLUMN IF NOT EXISTS revision integer NOT NULL DEFAULT 1,
            ADD COLUMN IF NOT EXISTS recorded_at timestamptz NOT NULL DEFAULT now(),
            ALTER COLUMN created_at SET DEFAULT (now() AT TIME ZONE 'utc')
        """
    )
    op.execute(f"COMMENT ON COLUMN llama_logs.root_job_id IS '{ROOT_JOB_ID_COMMENT}'")
    op.execute(f"COMMENT ON COLUMN llama_logs.origin IS '{ORIGIN_COMMENT}'")


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
    for name in INDEXES:
        op.execute(f"DROP INDEX {name}")
    op.execute("COMMENT ON COLUMN llama_logs.root_job_id IS NULL")
    op.execute(
        """
        ALTER TABLE llama_logs
            DROP COLUMN origin,
            DROP COLUMN declared_root_job_id,
            DROP COLUMN cycle_members,
            DROP COLUMN parent_conflict,
            DROP COLUMN revision,
            DROP COLUMN recorded_at,
            ALTER COLUMN created_at SET DEFAULT CURRENT_TIMESTAMP
        """
    )
    op.execute('DROP TYPE "LlamaLogOrigin"')
    for name, columns in SUPERSEDED.items():
        if not index_exists(name):
            op.execute(f"CREATE INDEX {name} ON llama_logs {columns}")
            op.execute(f"COMMENT ON INDEX {name} IS '{OURS}'")
