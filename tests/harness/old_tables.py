"""The log as an application left it at the points of its history, in small; nothing of migrations/."""

from collections.abc import Sequence

from harness.databases import run_sql

POINTS = ("first", "is_root_job", "category", "roots")

_NEIGHBOURS = """
CREATE TABLE albums (id uuid PRIMARY KEY);
CREATE TABLE users (id text PRIMARY KEY);
CREATE TABLE _prisma_migrations (id varchar(36) PRIMARY KEY, migration_name varchar(255) NOT NULL);
CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);
INSERT INTO albums SELECT md5('album' || n)::uuid FROM generate_series(1, 3) n;
INSERT INTO _prisma_migrations VALUES ('1', '20250301_first');
INSERT INTO alembic_version VALUES ('f00dfeed');
"""

_STEPS = {
    "first": """
CREATE TYPE "EnrichmentEntityType" AS ENUM ('ARTIST', 'ALBUM', 'TRACK', 'LABEL');
CREATE TYPE "EnrichmentStatus" AS ENUM ('SUCCESS', 'PARTIAL_SUCCESS', 'FAILED', 'ARCHIVED');
CREATE TYPE "DataQuality" AS ENUM ('LOW', 'MEDIUM', 'HIGH');
CREATE TABLE enrichment_logs (
    id uuid NOT NULL DEFAULT gen_random_uuid() PRIMARY KEY,
    entity_type "EnrichmentEntityType" NOT NULL, entity_id uuid, operation varchar(100) NOT NULL,
    sources text[], status "EnrichmentStatus" NOT NULL, reason text, fields_enriched text[],
    data_quality_before "DataQuality", data_quality_after "DataQuality", error_message text,
    error_code varchar(50), retry_count integer DEFAULT 0, metadata jsonb,
    preview_data jsonb, duration_ms integer, api_call_count integer DEFAULT 0,
    job_id varchar(100), triggered_by varchar(50), user_id text,
    created_at timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP, artist_id uuid, album_id uuid, track_id uuid,
    parent_job_id varchar(100), "reviewScore" numeric DEFAULT 1.5 CHECK ("reviewScore" > 0)
);
CREATE INDEX enrichment_logs_job_id_idx ON enrichment_logs (job_id);
CREATE INDEX enrichment_logs_parent_job_id_idx ON enrichment_logs (parent_job_id);
CREATE INDEX reviewed ON enrichment_logs (lower(operation)) WHERE "reviewScore" > 1;
ALTER TABLE enrichment_logs ADD CONSTRAINT enrichment_logs_album_id_fkey
    FOREIGN KEY (album_id) REFERENCES albums (id) ON DELETE SET NULL ON UPDATE CASCADE;
ALTER TABLE enrichment_logs ADD CONSTRAINT enrichment_logs_user_id_fkey
    FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE SET NULL;
CREATE VIEW recent_logs AS SELECT id, operation, parent_job_id FROM enrichment_logs;
""",
    "is_root_job": """
ALTER TABLE enrichment_logs ADD COLUMN is_root_job boolean NOT NULL DEFAULT false;
CREATE INDEX "enrichment_logs_isRootJob_createdAt_idx" ON enrichment_logs (is_root_job, created_at);
""",
    "category": """
CREATE TYPE "LlamaLogCategory" AS ENUM ('CREATED', 'ENRICHED', 'CORRECTED', 'CACHED', 'FAILED', 'MERGED');
ALTER TABLE enrichment_logs RENAME TO llama_logs;
ALTER TABLE llama_logs ADD COLUMN category "LlamaLogCategory" NOT NULL DEFAULT 'CREATED';
CREATE INDEX llama_logs_category_created_at_idx ON llama_logs (category, created_at);
ALTER INDEX enrichment_logs_parent_job_id_idx RENAME TO llama_logs_parent_job_id_idx;
""",
    "roots": """
ALTER TYPE "LlamaLogCategory" ADD VALUE 'LINKED';
ALTER TABLE llama_logs ADD COLUMN root_job_id varchar(100);
CREATE INDEX llama_logs_root_job_id_idx ON llama_logs (root_job_id);
""",
}

_ROWS = """
INSERT INTO {table}
    (id, entity_type, operation, status, album_id, job_id, parent_job_id, metadata, created_at)
SELECT md5('row' || n)::uuid, (CASE n % 4 WHEN 0 THEN 'LABEL' ELSE 'ALBUM' END)::"EnrichmentEntityType",
       (ARRAY['enrichment:album', 'cache:cover', 'admin_correction', 'track:created'])[1 + n % 4],
       (CASE n % 5 WHEN 0 THEN 'ARCHIVED' WHEN 1 THEN 'FAILED' ELSE 'SUCCESS' END)::"EnrichmentStatus",
       md5('album' || 1 + n % 3)::uuid,
       CASE WHEN n % 3 > 0 THEN 'job-' || n END, CASE WHEN n % 3 = 2 THEN 'job-' || n - 1 END,
       (CASE n % 3 WHEN 0 THEN '[1, "two"]' WHEN 1 THEN '"three"' ELSE '{{"n": 4}}' END)::jsonb,
       timestamp '2025-01-01' + n * interval '1 second'
FROM generate_series(1, {rows}) n;
"""

_MARKED = {
    "is_root_job": "UPDATE {table} SET is_root_job = job_id IS NOT NULL AND right(job_id, 1) <> '5'",
    "category": "UPDATE {table} SET category = 'MERGED' WHERE operation = 'admin_correction'",
    "roots": "UPDATE {table} SET root_job_id = coalesce(parent_job_id, job_id) WHERE job_id LIKE '%1'",
}
"""What the application wrote in the columns that it had: a root flag beside a parent, roots of its own."""


def table_at(point: str) -> str:
    """What the table is called."""
    return "enrichment_logs" if point in POINTS[:2] else "llama_logs"


async def make_old_table(database_url: str, point: str, rows: int = 60) -> None:
    """Fill an empty database with the log at a point of its history; `rows` of a mix of everything."""
    steps: Sequence[str] = POINTS[: POINTS.index(point) + 1]
    table = table_at(point)
    scripts = [_NEIGHBOURS, *(_STEPS[step] for step in steps), _ROWS.format(table=table, rows=rows)]
    scripts += [_MARKED[step].format(table=table) for step in steps[1:]]
    for script in scripts:
        await run_sql(database_url, *filter(str.strip, script.split(";\n")))
