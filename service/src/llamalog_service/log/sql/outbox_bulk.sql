-- The next $2 entries of backfills and of large recomputes after the row $1, by the table's own order: there may be millions;
-- and the number of the next transaction, which no version of an entry that is seen here has.
SELECT n.row_id, (SELECT pg_snapshot_xmax(pg_current_snapshot())::xid) AS next_transaction
FROM provenance_outbox n
WHERE n.bulk AND n.row_id > $1
ORDER BY n.row_id
LIMIT $2
