-- The last of the $2 rows after the row $1; no row if there is none.
SELECT page.id FROM (SELECT l.id FROM llama_logs l WHERE l.id > $1::uuid ORDER BY l.id LIMIT $2) page ORDER BY page.id DESC LIMIT 1
