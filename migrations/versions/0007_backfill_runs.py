"""Backfills are runs too: their request, progress, plan, and the requested action, such as a pause."""

from collections.abc import Iterator

from alembic import op

from llamalog_service.adoption.schema_inspector import Preview, SchemaInspector

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

COLUMNS = {
    "requested_by": "text",
    "request": "jsonb",
    "wish": "text CONSTRAINT backfill_runs_wish_check CHECK (wish IN ('pause', 'cancel'))",
    "phase": "text NOT NULL DEFAULT 'waiting'",
    "plan": "jsonb",
    "to_set": "integer NOT NULL DEFAULT 0",
    "resume_at": "bigint NOT NULL DEFAULT 0",
    "scanned": "integer NOT NULL DEFAULT 0",
    "rows_set": "integer NOT NULL DEFAULT 0",
    "by_class": "jsonb",
    "batch_size": "integer",
    "batches": "integer NOT NULL DEFAULT 0",
    "lock_timeouts": "integer NOT NULL DEFAULT 0",
    "rows_per_second": "double precision NOT NULL DEFAULT 0",
    "updated_at": "timestamptz NOT NULL DEFAULT now()",
    "report": "jsonb",
    "end_told": "boolean NOT NULL DEFAULT false",
}


def preview(_: SchemaInspector) -> Iterator[Preview]:
    yield Preview("create the tables backfill_plan and handled_requests, let backfill_runs hold backfills")


def upgrade() -> None:
    for name, definition in COLUMNS.items():
        op.execute(f"ALTER TABLE backfill_runs ADD COLUMN IF NOT EXISTS {name} {definition}")
    _allow_statuses("queued", "running", "paused", "completed", "failed", "cancelled")
    op.execute(
        "CREATE INDEX IF NOT EXISTS backfill_runs_backfills_idx "
        "ON backfill_runs (requested_at) WHERE kind = 'backfill-roots'"
    )
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS backfill_plan (
            position bigint PRIMARY KEY,
            row_id uuid NOT NULL,
            root_job_id varchar(100),
            origin "LlamaLogOrigin" NOT NULL,
            cycle_members text[],
            parent_conflict boolean NOT NULL,
            revision integer NOT NULL,
            differs boolean NOT NULL,
            was_settled boolean NOT NULL,
            takes_in boolean NOT NULL
        )
        """
    )
    op.execute("ALTER TABLE provenance_outbox ADD COLUMN IF NOT EXISTS bulk boolean NOT NULL DEFAULT false")
    op.execute(
        "CREATE INDEX IF NOT EXISTS provenance_outbox_prompt_idx "
        "ON provenance_outbox (noted_at) WHERE NOT bulk"
    )
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS handled_requests (
            id uuid PRIMARY KEY,
            run uuid NOT NULL,
            request text NOT NULL,
            requested_by text NOT NULL,
            handled_at timestamptz NOT NULL DEFAULT now()
        )
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE handled_requests")
    op.execute("DROP INDEX provenance_outbox_prompt_idx")
    op.execute("ALTER TABLE provenance_outbox DROP COLUMN bulk")
    op.execute("DROP TABLE backfill_plan")
    op.execute("DROP INDEX backfill_runs_backfills_idx")
    op.execute("DELETE FROM backfill_runs WHERE kind <> 'recompute-roots'")
    _allow_statuses("queued", "running", "completed", "failed")
    for name in reversed(COLUMNS):
        op.execute(f"ALTER TABLE backfill_runs DROP COLUMN {name}")


def _allow_statuses(*statuses: str) -> None:
    listed = ", ".join(f"'{status}'" for status in statuses)
    op.execute("ALTER TABLE backfill_runs DROP CONSTRAINT IF EXISTS backfill_runs_status_check")
    op.execute(
        f"ALTER TABLE backfill_runs ADD CONSTRAINT backfill_runs_status_check CHECK (status IN ({listed}))"
    )
