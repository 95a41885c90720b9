-- At most $1 retractions that wait for being applied to their rows, by row.
SELECT t.id, t.row_id, t.waits_since FROM retractions t WHERE t.waits_since IS NOT NULL ORDER BY t.row_id, t.id LIMIT $1
