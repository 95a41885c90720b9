-- The log's primary key, with its definition as an index and the comments on both, where it may be dropped and made again
-- in a transaction that adds rows: nothing refers to it, and no trigger waits for the commit, which would forbid it.
SELECT quote_ident(k.conname) AS name, pg_get_indexdef(k.conindid) AS definition,
       quote_literal(obj_description(k.conindid, 'pg_class')) AS comment,
       quote_literal(obj_description(k.oid, 'pg_constraint')) AS constraint_comment
FROM pg_constraint k
JOIN pg_index i ON i.indexrelid = k.conindid
JOIN pg_class c ON c.oid = k.conindid
JOIN pg_class t ON t.oid = k.conrelid
WHERE k.conrelid = 'llama_logs'::regclass AND k.contype = 'p' AND NOT k.condeferrable
  AND i.indisvalid AND NOT i.indisclustered AND NOT i.indisreplident AND c.reltablespace = 0
  AND t.relkind = 'r' AND NOT t.relispartition AND NOT t.relhassubclass
  AND NOT EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = k.conrelid)
  AND NOT EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = k.conrelid AND g.tgdeferrable)
  AND NOT EXISTS (
      SELECT FROM pg_depend d
      WHERE (d.refclassid = 'pg_constraint'::regclass AND d.refobjid = k.oid
             OR d.refclassid = 'pg_class'::regclass AND d.refobjid = k.conindid)
        AND d.deptype <> 'i'
  )
