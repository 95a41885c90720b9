-- The definitions and comments of the log's indexes that belong to no constraint.
SELECT quote_ident(c.relname) AS name, pg_get_indexdef(i.indexrelid) AS definition,
       quote_literal(obj_description(i.indexrelid, 'pg_class')) AS comment
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = 'llama_logs'::regclass
  AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)
ORDER BY c.relname
