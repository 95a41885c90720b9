-- Give those of the rows $1 that were removed before and put in again by another writer a revision above all that they had,
-- and note them in the outbox.
WITH raised AS (
    UPDATE llama_logs l SET revision = {next_revision} WHERE l.id = ANY ($1::uuid[]) RETURNING l.id, l.revision
)
INSERT INTO provenance_outbox (row_id, revision, bulk) SELECT id, revision, true FROM raised ON CONFLICT DO NOTHING
