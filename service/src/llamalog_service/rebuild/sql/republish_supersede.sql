-- Raise the revisions of the rows $1 by $2, and note them in the outbox.
WITH raised AS (
    UPDATE llama_logs SET revision = revision + $2 WHERE id = ANY ($1::uuid[]) RETURNING id, revision
)
INSERT INTO provenance_outbox (row_id, revision, bulk) SELECT id, revision, true FROM raised ON CONFLICT DO NOTHING
