-- Erase the person of the rows (as of erase_rows), and note them in the outbox.
WITH found AS (
    WANTED_ROWS
), gone AS (
    SELECT ARRAY(SELECT DISTINCT unnest(e.metadata_keys) FROM erasures e) AS keys
), changed AS (
    UPDATE llama_logs l
    SET user_id = NULL,
        metadata = {metadata_without_keys},
        erased = true,
        revision = {next_revision}
    FROM found f
    CROSS JOIN gone g
    WHERE l.id = f.row_id
    RETURNING l.id, l.revision, l.user_id IS NULL AND l.erased AS as_wanted
), noted AS (
    INSERT INTO provenance_outbox (row_id, revision, bulk)
    SELECT id, revision, (SELECT count(*) FROM changed) > 1000 FROM changed
)
SELECT count(*)::integer AS changed, (SELECT count(*) FROM found) - count(*) FILTER (WHERE as_wanted) AS ineffective
FROM changed
