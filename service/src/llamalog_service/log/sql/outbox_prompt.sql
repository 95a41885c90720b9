-- The next $4 entries in the order in which rows were corrected, after the entry of $1 (its time), $2 (its row) and $3 (its
-- revision); without those of backfills and of large recomputes. And the number of the next transaction, as in outbox_bulk.
SELECT n.row_id, n.noted_at, n.revision, (SELECT pg_snapshot_xmax(pg_current_snapshot())::xid) AS next_transaction
FROM provenance_outbox n
WHERE NOT n.bulk AND (n.noted_at, n.row_id, n.revision) > ($1::timestamptz, $2::uuid, $3::integer)
ORDER BY n.noted_at, n.row_id, n.revision
LIMIT $4
