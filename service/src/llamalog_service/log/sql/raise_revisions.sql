-- Give the rows $1 the revisions $2.
UPDATE llama_logs l SET revision = n.revision
FROM unnest($1::uuid[], $2::integer[]) AS n (id, revision)
WHERE l.id = n.id
