-- A row (as of normalise_rows) that another writer put in as a root job makes no claim: the parent that it
-- names is kept in legacy_values. Returns the jobs whose parent may be another by now.
WITH overruled AS (
    WANTED_ROWS
), kept AS (
    INSERT INTO legacy_values (row_id, parent_job_id) SELECT row_id, parent_job_id FROM overruled
    ON CONFLICT (row_id) DO UPDATE
    SET parent_job_id = coalesce(legacy_values.parent_job_id, excluded.parent_job_id)
), cleared AS (
    UPDATE llama_logs l SET parent_job_id = NULL FROM overruled o WHERE l.id = o.row_id
    RETURNING l.parent_job_id IS NULL AS as_wanted
)
SELECT jobs.job, (SELECT count(*) FROM overruled) - (SELECT count(*) FROM cleared WHERE as_wanted) AS ineffective
FROM (SELECT) AS always
LEFT JOIN (SELECT DISTINCT job_id AS job FROM overruled WHERE job_id IS NOT NULL) jobs ON true
