-- The shadow's schema: tables of the live table's types, producers by name, without indexes. Those that the root rule reads have the live
-- tables' names, so that the same statements serve both. They are unlogged: after a crash of PostgreSQL rows and positions
-- are empty alike, and the reading begins anew.
CREATE SCHEMA llamalog_rebuild;
CREATE TABLE llamalog_rebuild.about (
    id uuid NOT NULL,
    format integer NOT NULL,
    topic text NOT NULL,
    source text NOT NULL,     -- the topic, or the archive that is read before or instead of it
    begun_by text NOT NULL,
    begun_at timestamptz NOT NULL DEFAULT now(),
    has_all_labels boolean NOT NULL  -- no row was left out for a label that the live table's enums lack
);
CREATE UNLOGGED TABLE llamalog_rebuild.llama_logs WITH (autovacuum_enabled = false) AS
SELECT id, entity_type, entity_id, artist_id, album_id, track_id, operation, category, sources, status, reason,
       fields_enriched, data_quality_before, data_quality_after, error_message, error_code, retry_count, duration_ms,
       api_call_count, metadata, preview_data, job_id, parent_job_id, is_root_job, triggered_by, user_id, created_at,
       declared_root_job_id, NULL::text AS producer, traceparent, erased, retracted, root_job_id, origin, cycle_members, parent_conflict,
       revision,
       0 AS partition, 0::bigint AS "offset"
FROM llama_logs
WITH NO DATA;
ALTER TABLE llamalog_rebuild.llama_logs ALTER COLUMN erased SET DEFAULT false, ALTER COLUMN retracted SET DEFAULT false;
CREATE UNLOGGED TABLE llamalog_rebuild.other_contents WITH (autovacuum_enabled = false) AS
SELECT * FROM llamalog_rebuild.llama_logs
WITH NO DATA;
CREATE UNLOGGED TABLE llamalog_rebuild.root_overrides WITH (autovacuum_enabled = false) AS
SELECT id, job_id, adopted, reason, requested_by, overridden_at, 0 AS partition, 0::bigint AS "offset"
FROM root_overrides
WITH NO DATA;
CREATE UNLOGGED TABLE llamalog_rebuild.erasures (
    id uuid PRIMARY KEY,
    user_digest text NOT NULL,
    metadata_keys text[] NOT NULL,
    reason text NOT NULL,
    requested_by text NOT NULL,
    erased_at timestamp(3) NOT NULL
);
CREATE UNLOGGED TABLE llamalog_rebuild.retractions (
    id uuid PRIMARY KEY,
    row_id uuid NOT NULL,
    retracted boolean NOT NULL,
    reason text NOT NULL,
    requested_by text NOT NULL,
    retracted_at timestamp(3) NOT NULL
);
CREATE UNLOGGED TABLE llamalog_rebuild.erased_events (  -- that were rewritten without their person
    row_id uuid NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL
);
CREATE UNLOGGED TABLE llamalog_rebuild.legacy_rows (
    row_id uuid NOT NULL,
    parent_job_id text,       -- the row's own values, where the rules overrule them
    root_job_id text,
    partition integer NOT NULL,
    "offset" bigint NOT NULL
);
CREATE UNLOGGED TABLE llamalog_rebuild.positions (
    partition integer PRIMARY KEY,
    next_offset bigint NOT NULL,
    messages bigint NOT NULL,
    dead_letters bigint NOT NULL,
    tombstones bigint NOT NULL
);
CREATE UNLOGGED TABLE llamalog_rebuild.roots WITH (autovacuum_enabled = false) AS
SELECT id AS row_id, root_job_id, origin, cycle_members, parent_conflict
FROM llama_logs
WITH NO DATA;
CREATE UNLOGGED TABLE llamalog_rebuild.differences (
    id uuid NOT NULL,
    kind text NOT NULL,       -- missing, extra or different
    columns text[],           -- of a different row: those in which it differs
    live jsonb,               -- the live row, or what differs of it
    rebuilt jsonb,
    bytes bigint GENERATED ALWAYS AS (coalesce(octet_length(live::text), 0) + coalesce(octet_length(rebuilt::text), 0)) STORED,
    starts text[] NOT NULL,   -- jobs below which it may have changed roots
    revision integer,         -- of the live row
    corrected boolean NOT NULL DEFAULT false,  -- by live traffic, after the comparison
    repaired boolean NOT NULL DEFAULT false
);
CREATE UNLOGGED TABLE llamalog_rebuild.comparison (
    ended_at timestamptz NOT NULL  -- of the comparison; after a crash there is no row
)
