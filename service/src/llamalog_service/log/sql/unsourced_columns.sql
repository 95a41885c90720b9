-- The columns of the log, custom ones included.
SELECT a.attname::text AS name
FROM pg_attribute a
WHERE a.attrelid = 'llama_logs'::regclass AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
