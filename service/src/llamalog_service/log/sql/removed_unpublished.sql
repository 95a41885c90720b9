-- Some $1 rows that were removed, of which others do not know it.
SELECT DISTINCT r.row_id FROM removed_rows r WHERE NOT r.is_published ORDER BY r.row_id LIMIT $1
