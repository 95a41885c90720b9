-- The origin of rows (as of untracked_rows) that another writer put in with neither job nor parent is unknown
-- for good. A root that the writer had computed is kept in legacy_values. Where they are many, others are published before them.
WITH found AS (
    WANTED_ROWS
), kept AS (
    INSERT INTO legacy_values (row_id, root_job_id) SELECT row_id, root_job_id FROM found WHERE root_job_id IS NOT NULL
    ON CONFLICT (row_id) DO UPDATE
    SET root_job_id = coalesce(legacy_values.root_job_id, excluded.root_job_id)
), new_correction AS (
    {new_correction} WHERE EXISTS (SELECT FROM found) RETURNING id
), changed AS (
    UPDATE llama_logs l
    SET origin = 'UNTRACKED', root_job_id = NULL, legacy_sourced = coalesce(l.legacy_sourced, false),
        settled_by = {settled_by}, revision = {next_revision}
    FROM found f
    WHERE l.id = f.row_id AND l.origin IS NULL AND l.job_id IS NULL AND l.parent_job_id IS NULL
    RETURNING l.id, l.revision, f.root_job_id AS root_now, NULL::"LlamaLogOrigin" AS origin_now, l.root_job_id, l.origin,
              l.origin = 'UNTRACKED' AND l.root_job_id IS NULL AND l.revision > f.revision_now AS as_wanted
), noted AS (
    INSERT INTO provenance_outbox (row_id, revision, bulk)
    SELECT id, revision, (SELECT count(*) FROM changed) > 1000 FROM changed
), known AS (
    SELECT id, revision, root_job_id, origin, root_now, origin_now FROM changed
), remembered AS (
    {remember}
)
SELECT count(*)::integer AS changed, (SELECT count(*) FROM found) - count(*) FILTER (WHERE as_wanted) AS ineffective
FROM changed
