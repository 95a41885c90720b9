-- The enums of the log's columns, and their labels.
SELECT a.attname::text AS column, a.atttypid::regtype::text AS type, array_agg(e.enumlabel::text) AS labels
FROM pg_attribute a
JOIN pg_enum e ON e.enumtypid = a.atttypid
WHERE a.attrelid = 'llama_logs'::regclass AND NOT a.attisdropped
  AND a.attname IN ('entity_type', 'category', 'status', 'data_quality_before', 'data_quality_after')
GROUP BY a.attname, a.atttypid
