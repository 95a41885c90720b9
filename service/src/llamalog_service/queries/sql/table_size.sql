-- The bytes that the log takes on disk, its indexes included, and its rows as PostgreSQL estimates them.
SELECT pg_total_relation_size(c.oid) AS bytes, greatest(0, c.reltuples)::bigint AS rows
FROM pg_class c
WHERE c.oid = 'llama_logs'::regclass
