-- Raise the revisions of the rows $1 by $2.
UPDATE llama_logs SET revision = revision + $2 WHERE id = ANY ($1::uuid[])
