-- Raise the revisions of those of the rows $1 that exist again, and whose tombstone is not noted as published.
UPDATE llama_logs l SET revision = {next_revision}
WHERE l.id = ANY ($1::uuid[])
  AND EXISTS (SELECT FROM removed_rows r WHERE r.row_id = l.id AND NOT r.is_published)
