-- Note that others know of the removal of the rows $1. A row that is back by now is to be told again: the removal may
-- have been told after it.
WITH noted AS (
    UPDATE removed_rows r SET told = true WHERE r.row_id = ANY ($1::uuid[]) AND NOT r.told
)
INSERT INTO provenance_outbox (row_id, revision)
SELECT l.id, l.revision FROM llama_logs l WHERE l.id = ANY ($1::uuid[])
ON CONFLICT DO NOTHING
