-- Note that the tombstones of the rows $1 are published, unless a transaction from the number $2 on has noted that a record
-- came meanwhile. A row that exists again is to be published again.
WITH noted AS (
    UPDATE removed_rows r
    SET is_published = true
    WHERE r.row_id = ANY ($1::uuid[]) AND NOT r.is_published AND age(r.xmin) > age($2::xid)
)
INSERT INTO provenance_outbox (row_id, revision)
SELECT l.id, l.revision FROM llama_logs l WHERE l.id = ANY ($1::uuid[])
ON CONFLICT (row_id, revision) DO UPDATE SET noted_at = excluded.noted_at
