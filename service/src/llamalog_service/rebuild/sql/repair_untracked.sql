-- Correct the root columns of rows ($1) without job and parent: these have no root.
WITH changed AS (
    UPDATE llama_logs l
    SET root_job_id = NULL, origin = 'UNTRACKED', cycle_members = NULL, parent_conflict = false,
        revision = {next_revision}
    WHERE l.id = ANY ($1::uuid[]) AND l.job_id IS NULL AND l.parent_job_id IS NULL
      AND (l.root_job_id IS NOT NULL OR l.origin IS DISTINCT FROM 'UNTRACKED' OR l.cycle_members IS NOT NULL
           OR l.parent_conflict)
    RETURNING l.id, l.revision
), noted AS (
    INSERT INTO provenance_outbox (row_id, revision) SELECT id, revision FROM changed ON CONFLICT DO NOTHING
)
SELECT id FROM changed
