"""The table as it was before anybody asked for roots: enrichment_logs, with parent_job_id."""

from alembic import op
from migrations.looking import OURS, enum_exists

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

INDEXES = {
    "enrichment_logs_entity_type_entity_id_idx": "entity_type, entity_id",
    "enrichment_logs_created_at_idx": "created_at",
    "enrichment_logs_job_id_idx": "job_id",
    "enrichment_logs_parent_job_id_idx": "parent_job_id",
}


def upgrade() -> None:
    for name, values in ENUMS.items():
        if not enum_exists(name):
            op.execute(f'CREATE TYPE "{name}" AS ENUM ({values})')
    op.execute(
        """
        CREATE TABLE enrichment_logs (
            id uuid PRIMARY KEY,
            entity_type "EnrichmentEntityType",
            entity_id uuid,
            artist_id uuid,
            album_id uuid,
            track_id uuid,
            operation varchar(100) NOT NULL,
            sources text[] NOT NULL DEFAULT '{}',
            status "EnrichmentStatus" NOT NULL,
            reason text,
            fields_enriched text[] NOT NULL DEFAULT '{}',
            data_quality_before "DataQuality",
            data_quality_after "DataQuality",
            error_message text,
            error_code varchar(50),
            retry_count integer,
            duration_ms integer,
            api_call_count integer,
            metadata jsonb,
            preview_data jsonb,
            job_id varchar(100),
            parent_job_id varchar(100),
            triggered_by varchar(50),
            user_id text,
            created_at timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
        )
        """
    )
    for name, columns in INDEXES.items():
        op.execute(f"CREATE INDEX {name} ON enrichment_logs ({columns})")
        op.execute(f"COMMENT ON INDEX {name} IS '{OURS}'")


def downgrade() -> None:
    op.execute("DROP TABLE enrichment_logs")
    for name in ENUMS:
        op.execute(f'DROP TYPE "{name}"')
