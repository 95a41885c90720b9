"""The table's five starting points, as the application that made it left them.

Plain SQL of the old schemas, as that application's own tool would have applied it, one step after the
other. It is written from the description of the table and shares nothing with ``migrations/``.
"""

from enum import Enum
from functools import cached_property
from typing import Literal

Spelling = Literal["enrichment_logs", "llama_logs", "camelCase"]
"""How the indexes are called: as they were at first, after the table's later name, or by the application's
own names for the columns."""


class StartingPoint(Enum):
    """Where in its history a database stands when it is adopted."""

    EMPTY = 0
    FIRST = 1
    """``enrichment_logs`` as first described."""
    ROOT_FLAG = 2
    """The same with ``is_root_job``."""
    CATEGORY = 3
    """``llama_logs`` with ``category``."""
    ROOTS = 4
    """``llama_logs`` with ``LINKED`` and ``root_job_id``."""

    def __ge__(self, other: "StartingPoint") -> bool:
        return self.value >= other.value

    @property
    def table(self) -> str:
        """What the table is called."""
        return "llama_logs" if self >= StartingPoint.CATEGORY else "enrichment_logs"

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns of the table."""
        return tuple(
            column
            for since, columns in _COLUMNS.items()
            for column in columns
            if self is not StartingPoint.EMPTY and self >= since
        )


ADOPTABLE = [point for point in StartingPoint if point is not StartingPoint.EMPTY]
"""The starting points at which a table stands."""

_COLUMNS = {
    StartingPoint.FIRST: (
        "id",
        "entity_type",
        "entity_id",
        "operation",
        "sources",
        "status",
        "reason",
        "fields_enriched",
        "data_quality_before",
        "data_quality_after",
        "error_message",
        "error_code",
        "retry_count",
        "metadata",
        "preview_data",
        "duration_ms",
        "api_call_count",
        "job_id",
        "triggered_by",
        "user_id",
        "created_at",
        "artist_id",
        "album_id",
        "track_id",
        "parent_job_id",
    ),
    StartingPoint.ROOT_FLAG: ("is_root_job",),
    StartingPoint.CATEGORY: ("category",),
    StartingPoint.ROOTS: ("root_job_id",),
}

NEIGHBOURS = """
CREATE TABLE "albums" ("id" UUID NOT NULL DEFAULT gen_random_uuid(), "title" TEXT NOT NULL,
    CONSTRAINT "albums_pkey" PRIMARY KEY ("id"));
CREATE TABLE "artists" ("id" UUID NOT NULL DEFAULT gen_random_uuid(), "name" TEXT NOT NULL,
    CONSTRAINT "artists_pkey" PRIMARY KEY ("id"));
CREATE TABLE "tracks" ("id" UUID NOT NULL DEFAULT gen_random_uuid(), "title" TEXT NOT NULL,
    CONSTRAINT "tracks_pkey" PRIMARY KEY ("id"));
CREATE TABLE "users" ("id" TEXT NOT NULL, "name" TEXT NOT NULL, CONSTRAINT "users_pkey" PRIMARY KEY ("id"));

CREATE TABLE "_prisma_migrations" (
    id VARCHAR(36) PRIMARY KEY NOT NULL,
    checksum VARCHAR(64) NOT NULL,
    finished_at TIMESTAMPTZ,
    migration_name VARCHAR(255) NOT NULL,
    logs TEXT,
    rolled_back_at TIMESTAMPTZ,
    started_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    applied_steps_count INTEGER NOT NULL DEFAULT 0
);
INSERT INTO "_prisma_migrations" (id, checksum, finished_at, migration_name, started_at, applied_steps_count)
SELECT md5(n::text), md5(n::text) || md5('x' || n), '2025-03-01 10:00:00+00', '2025030' || n || '_step',
       '2025-03-01 09:59:59+00', 1
FROM generate_series(1, 6) n;
"""
"""What other services and tools keep in the same database."""

_FIRST = """
CREATE TYPE "EnrichmentEntityType" AS ENUM ('ARTIST', 'ALBUM', 'TRACK');
CREATE TYPE "EnrichmentStatus" AS ENUM ('SUCCESS', 'PARTIAL_SUCCESS', 'FAILED', 'NO_DATA_AVAILABLE',
    'SKIPPED', 'PREVIEW', 'PENDING', 'QUEUED', 'IN_PROGRESS', 'COMPLETED');
CREATE TYPE "DataQuality" AS ENUM ('LOW', 'MEDIUM', 'HIGH');

CREATE TABLE "enrichment_logs" (
    "id" UUID NOT NULL DEFAULT gen_random_uuid(),
    "entity_type" "EnrichmentEntityType",
    "entity_id" UUID,
    "operation" VARCHAR(100) NOT NULL,
    "sources" TEXT[],
    "status" "EnrichmentStatus" NOT NULL,
    "reason" TEXT,
    "fields_enriched" TEXT[],
    "data_quality_before" "DataQuality",
    "data_quality_after" "DataQuality",
    "error_message" TEXT,
    "error_code" VARCHAR(50),
    "retry_count" INTEGER DEFAULT 0,
    "metadata" JSONB,
    "preview_data" JSONB,
    "duration_ms" INTEGER,
    "api_call_count" INTEGER DEFAULT 0,
    "job_id" VARCHAR(100),
    "triggered_by" VARCHAR(50),
    "user_id" TEXT,
    "created_at" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "artist_id" UUID,
    "album_id" UUID,
    "track_id" UUID,
    "parent_job_id" VARCHAR(100),
    CONSTRAINT "enrichment_logs_pkey" PRIMARY KEY ("id")
);
CREATE INDEX "enrichment_logs_entity_type_entity_id_idx" ON "enrichment_logs"("entity_type", "entity_id");
CREATE INDEX "enrichment_logs_artist_id_idx" ON "enrichment_logs"("artist_id");
CREATE INDEX "enrichment_logs_album_id_idx" ON "enrichment_logs"("album_id");
CREATE INDEX "enrichment_logs_track_id_idx" ON "enrichment_logs"("track_id");
CREATE INDEX "enrichment_logs_operation_created_at_idx" ON "enrichment_logs"("operation", "created_at");
CREATE INDEX "enrichment_logs_status_created_at_idx" ON "enrichment_logs"("status", "created_at");
CREATE INDEX "enrichment_logs_created_at_idx" ON "enrichment_logs"("created_at");
CREATE INDEX "enrichment_logs_sources_idx" ON "enrichment_logs"("sources");
CREATE INDEX "enrichment_logs_user_id_idx" ON "enrichment_logs"("user_id");
CREATE INDEX "enrichment_logs_job_id_idx" ON "enrichment_logs"("job_id");
CREATE INDEX "enrichment_logs_parent_job_id_idx" ON "enrichment_logs"("parent_job_id");

ALTER TABLE "enrichment_logs" ADD CONSTRAINT "enrichment_logs_artist_id_fkey"
    FOREIGN KEY ("artist_id") REFERENCES "artists"("id") ON DELETE SET NULL ON UPDATE CASCADE;
ALTER TABLE "enrichment_logs" ADD CONSTRAINT "enrichment_logs_album_id_fkey"
    FOREIGN KEY ("album_id") REFERENCES "albums"("id") ON DELETE SET NULL ON UPDATE CASCADE;
ALTER TABLE "enrichment_logs" ADD CONSTRAINT "enrichment_logs_track_id_fkey"
    FOREIGN KEY ("track_id") REFERENCES "tracks"("id") ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE "enrichment_logs" ADD CONSTRAINT "enrichment_logs_user_id_fkey"
    FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE SET NULL ON UPDATE CASCADE;
"""

_ROOT_FLAG = """
ALTER TABLE "enrichment_logs" ADD COLUMN "is_root_job" BOOLEAN NOT NULL DEFAULT false;
CREATE INDEX "enrichment_logs_is_root_job_created_at_idx" ON "enrichment_logs"("is_root_job", "created_at");
"""

_CATEGORY = """
CREATE TYPE "LlamaLogCategory" AS ENUM ('CREATED', 'ENRICHED', 'CORRECTED', 'CACHED', 'FAILED');
ALTER TABLE "enrichment_logs" RENAME TO "llama_logs";
ALTER TABLE "llama_logs" ADD COLUMN "category" "LlamaLogCategory" NOT NULL;
CREATE INDEX "llama_logs_category_created_at_idx" ON "llama_logs"("category", "created_at");
"""

_RENAMED = """
DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT indexname FROM pg_indexes WHERE indexname LIKE 'enrichment\\_logs\\_%' LOOP
        EXECUTE format('ALTER INDEX %I RENAME TO %I', name, replace(name, 'enrichment_logs', 'llama_logs'));
    END LOOP;
    FOR name IN SELECT conname FROM pg_constraint
        WHERE conname LIKE 'enrichment\\_logs\\_%' AND contype = 'f' LOOP
        EXECUTE format('ALTER TABLE "llama_logs" RENAME CONSTRAINT %I TO %I',
                       name, replace(name, 'enrichment_logs', 'llama_logs'));
    END LOOP;
END $$;
"""

_CAMEL_CASE = """
ALTER INDEX IF EXISTS "enrichment_logs_job_id_idx" RENAME TO "enrichment_logs_jobId_idx";
ALTER INDEX IF EXISTS "enrichment_logs_parent_job_id_idx" RENAME TO "enrichment_logs_parentJobId_idx";
ALTER INDEX IF EXISTS "enrichment_logs_created_at_idx" RENAME TO "enrichment_logs_createdAt_idx";
ALTER INDEX IF EXISTS "enrichment_logs_is_root_job_created_at_idx"
    RENAME TO "enrichment_logs_isRootJob_createdAt_idx";
ALTER INDEX IF EXISTS "llama_logs_category_created_at_idx" RENAME TO "llama_logs_category_createdAt_idx";
ALTER INDEX IF EXISTS "llama_logs_root_job_id_idx" RENAME TO "llama_logs_rootJobId_idx";
"""

_ROOTS = """
ALTER TYPE "LlamaLogCategory" ADD VALUE 'LINKED';
ALTER TABLE "llama_logs" ADD COLUMN "root_job_id" VARCHAR(100);
CREATE INDEX "llama_logs_root_job_id_idx" ON "llama_logs"("root_job_id");
"""


def schema_at(point: StartingPoint, spelling: Spelling = "llama_logs") -> str:
    """The script that makes the empty table of a starting point; nothing for an empty database."""
    steps = [_FIRST, _ROOT_FLAG, _CATEGORY + (_RENAMED if spelling == "llama_logs" else ""), _ROOTS]
    return "".join(steps[: point.value]) + (_CAMEL_CASE if spelling == "camelCase" else "")


UNKNOWN_TO_US = """
ALTER TYPE "EnrichmentEntityType" ADD VALUE 'LABEL';
ALTER TYPE "EnrichmentStatus" ADD VALUE 'ARCHIVED' BEFORE 'FAILED';
ALTER TYPE "DataQuality" ADD VALUE 'PERFECT';
ALTER TABLE {table} ADD COLUMN "reviewScore" numeric(6, 2) DEFAULT 1.50,
    ADD COLUMN reviewed_by text,
    ADD COLUMN operation_length integer GENERATED ALWAYS AS (length(operation)) STORED,
    ADD CONSTRAINT "review_score_is_positive" CHECK ("reviewScore" > 0);
CREATE INDEX "reviewed_logs" ON {table} (lower(reviewed_by)) WHERE reviewed_by IS NOT NULL;
CREATE UNIQUE INDEX "one_review_each" ON {table} (id, "reviewScore");
CREATE VIEW recent_logs AS SELECT id, operation, job_id, parent_job_id FROM {table} ORDER BY created_at DESC;
"""
"""Additions of another program; to be formatted with the table's name."""

UNKNOWN_CATEGORY = """ALTER TYPE "LlamaLogCategory" ADD VALUE 'MERGED' AFTER 'CREATED';"""
