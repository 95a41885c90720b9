-- The next $2 rows of the shadow after the row $1 (NULL: from the beginning).
SELECT id FROM llamalog_rebuild.llama_logs WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT $2
