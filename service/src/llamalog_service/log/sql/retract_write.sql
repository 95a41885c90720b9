-- Retract the rows (as of retract_rows), or take that back, and note them in the outbox.
WITH found AS (
    WANTED_ROWS
), changed AS (
    UPDATE llama_logs l
    SET retracted = f.retracted,
        revision = {next_revision}
    FROM found f
    WHERE l.id = f.row_id
    RETURNING l.id, l.revision, l.retracted = f.retracted AND l.revision > f.revision_now AS as_wanted
), noted AS (
    INSERT INTO provenance_outbox (row_id, revision, bulk)
    SELECT id, revision, (SELECT count(*) FROM changed) > 1000 FROM changed
)
SELECT count(*)::integer AS changed, (SELECT count(*) FROM found) - count(*) FILTER (WHERE as_wanted) AS ineffective
FROM changed
