-- A row that another writer put in as a root job makes no claim: the parent that it names is kept in
-- legacy_values. Returns the jobs whose parent may be another by now.
WITH overruled AS (
    SELECT l.id, l.job_id, l.parent_job_id
    FROM llama_logs l
    WHERE l.origin IS NULL AND l.is_root_job AND l.parent_job_id IS NOT NULL
    FOR UPDATE
), kept AS (
    INSERT INTO legacy_values (row_id, parent_job_id) SELECT id, parent_job_id FROM overruled
    ON CONFLICT (row_id) DO UPDATE
    SET parent_job_id = coalesce(legacy_values.parent_job_id, excluded.parent_job_id)
), cleared AS (
    UPDATE llama_logs l SET parent_job_id = NULL FROM overruled o WHERE l.id = o.id
)
SELECT DISTINCT job_id AS job FROM overruled WHERE job_id IS NOT NULL
