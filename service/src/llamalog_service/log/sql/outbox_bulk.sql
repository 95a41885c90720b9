-- The next $2 entries of backfills and of large recomputes after the row $1, by the table's own order: there may be millions.
SELECT n.row_id
FROM provenance_outbox n
WHERE n.bulk AND n.row_id > $1
ORDER BY n.row_id
LIMIT $2
