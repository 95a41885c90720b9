-- What a start has to know of the database, for tables $1 (text[]): the first is the log.
SELECT d.datname::text AS name,
       current_user::text AS role,
       pg_encoding_to_char(d.encoding)::text AS encoding,
       current_setting('search_path') AS search_path,
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
