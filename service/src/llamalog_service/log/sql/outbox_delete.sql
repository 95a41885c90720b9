-- Delete published entries: of the rows $1 up to the revisions $2; and those of a row that was removed and recorded again,
-- which begins with its first revision.
DELETE FROM provenance_outbox o
USING unnest($1::uuid[], $2::integer[]) AS published (row_id, revision)
WHERE o.row_id = published.row_id
  AND (o.revision <= published.revision
       OR NOT EXISTS (SELECT FROM llama_logs l WHERE l.id = o.row_id AND l.revision >= o.revision))
