-- Some $1 rows that were removed and whose tombstones are not published, and the number of the next transaction.
SELECT DISTINCT r.row_id, (SELECT pg_snapshot_xmax(pg_current_snapshot())::xid) AS next_transaction
FROM removed_rows r
WHERE NOT r.is_published
ORDER BY r.row_id
LIMIT $1
