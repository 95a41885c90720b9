-- The bytes that the log takes on disk, its indexes included.
SELECT pg_total_relation_size('llama_logs')
