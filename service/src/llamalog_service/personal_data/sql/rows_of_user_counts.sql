-- How many rows the user $1 has, and how many that a repair has removed.
SELECT (SELECT count(*) FROM llama_logs l WHERE l.user_id = $1) AS rows,
       (SELECT count(*) FROM removed_rows r WHERE r.content ->> 'user_id' = $1) AS removed_rows
