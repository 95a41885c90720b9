-- Rows that another writer put into the table with neither job nor parent: their origin is unknown for good.
WITH changed AS (
    UPDATE llama_logs l
    SET origin = 'UNTRACKED', root_job_id = NULL, revision = l.revision + 1
    WHERE l.origin IS NULL AND l.job_id IS NULL AND l.parent_job_id IS NULL
    RETURNING l.id, l.revision
), noted AS (
    INSERT INTO provenance_outbox (row_id, revision) SELECT id, revision FROM changed
)
SELECT count(*)::integer AS changed FROM changed
