-- Correct the root columns of rows ($1) without job and parent: these have no root.
WITH before AS MATERIALIZED (
    SELECT l.id, l.root_job_id AS root_now, l.origin AS origin_now
    FROM llama_logs l
    WHERE l.id = ANY ($1::uuid[]) AND l.job_id IS NULL AND l.parent_job_id IS NULL
      AND (l.root_job_id IS NOT NULL OR l.origin IS DISTINCT FROM 'UNTRACKED' OR l.cycle_members IS NOT NULL
           OR l.parent_conflict)
), new_correction AS (
    {new_correction} WHERE EXISTS (SELECT FROM before) RETURNING id
), changed AS (
    UPDATE llama_logs l
    SET root_job_id = NULL, origin = 'UNTRACKED', cycle_members = NULL, parent_conflict = false,
        settled_by = {settled_by},
        revision = {next_revision}
    WHERE l.id = ANY ($1::uuid[]) AND l.job_id IS NULL AND l.parent_job_id IS NULL
      AND (l.root_job_id IS NOT NULL OR l.origin IS DISTINCT FROM 'UNTRACKED' OR l.cycle_members IS NOT NULL
           OR l.parent_conflict)
    RETURNING l.id, l.revision, l.root_job_id, l.origin
), noted AS (
    INSERT INTO provenance_outbox (row_id, revision) SELECT id, revision FROM changed ON CONFLICT DO NOTHING
), known AS (
    SELECT id, revision, root_job_id, origin, root_now, origin_now FROM before JOIN changed USING (id)
), remembered AS (
    {remember}
)
SELECT id FROM changed
