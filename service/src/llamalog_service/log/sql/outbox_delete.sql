-- Delete published entries: of the rows $1 up to the revisions $2.
DELETE FROM provenance_outbox o
USING unnest($1::uuid[], $2::integer[]) AS told (row_id, revision)
WHERE o.row_id = told.row_id AND o.revision <= told.revision
