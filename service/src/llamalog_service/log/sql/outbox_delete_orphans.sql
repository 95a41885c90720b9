-- Delete the entries of those of the rows $1 that are gone. A record of one that was removed may have been published since its
-- tombstone was, by a process that was killed then: the tombstone is published again.
WITH gone AS MATERIALIZED (
    SELECT row_id FROM unnest($1::uuid[]) AS read (row_id)
    WHERE NOT EXISTS (SELECT FROM llama_logs l WHERE l.id = read.row_id OFFSET 0)
), unpublished AS (
    UPDATE removed_rows r SET is_published = false FROM gone
    WHERE r.row_id = ANY ($1::uuid[]) AND r.row_id = gone.row_id
)
DELETE FROM provenance_outbox o USING gone WHERE o.row_id = ANY ($1::uuid[]) AND o.row_id = gone.row_id
