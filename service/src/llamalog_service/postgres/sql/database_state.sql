-- What a start has to know of the database, for tables $1 (text[]), the first of which is the log, and settings $2 (text[]).
SELECT d.datname::text AS name,
       current_user::text AS role,
       pg_encoding_to_char(d.encoding)::text AS encoding,
       current_setting('search_path') AS search_path,
       coalesce(has_table_privilege(to_regclass('llamalog_revision')::oid, 'SELECT'), false) AS may_read_revision,
       has_database_privilege(d.datname, 'TEMPORARY') AS may_create_temporary_tables,
       ARRAY(SELECT ROW(n.name, current_setting(n.name, true)) FROM unnest($2::text[]) AS n (name)) AS settings,
       ARRAY(
           SELECT r.rulename::text FROM pg_rewrite AS r WHERE r.ev_class = to_regclass(($1::text[])[1]) ORDER BY r.rulename
       ) AS rules,
       to_regclass('llamalog_revision') IS NOT NULL AND to_regclass(($1::text[])[1]) IS NOT NULL AS is_migrated,
       ARRAY(
           SELECT ROW(t.name,
                      has_table_privilege(t.relation, 'SELECT'),
                      has_table_privilege(t.relation, 'INSERT'),
                      has_table_privilege(t.relation, 'UPDATE'),
                      has_table_privilege(t.relation, 'DELETE'))
           FROM (SELECT n.name, to_regclass(n.name)::oid AS relation FROM unnest($1::text[]) AS n (name)) AS t
           WHERE t.relation IS NOT NULL
       ) AS privileges
FROM pg_database AS d
WHERE d.datname = current_database()
