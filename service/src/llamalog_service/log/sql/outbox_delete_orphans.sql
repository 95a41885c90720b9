-- Delete the entries of those of the rows $1 that are gone: a correction of a row that was removed is published no more.
DELETE FROM provenance_outbox o
WHERE o.row_id = ANY ($1::uuid[]) AND NOT EXISTS (SELECT FROM llama_logs l WHERE l.id = o.row_id)
