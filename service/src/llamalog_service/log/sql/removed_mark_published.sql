-- Note that the tombstones of the rows $1 are published. A row that exists again is to be published again, as a higher
-- revision: its tombstone may have come after it, and readers that keep the highest revision have this one already.
WITH noted AS (
    UPDATE removed_rows r SET is_published = true WHERE r.row_id = ANY ($1::uuid[]) AND NOT r.is_published
), raised AS (
    UPDATE llama_logs l SET revision = {next_revision} WHERE l.id = ANY ($1::uuid[]) RETURNING l.id, l.revision
)
INSERT INTO provenance_outbox (row_id, revision)
SELECT id, revision FROM raised
ON CONFLICT DO NOTHING
