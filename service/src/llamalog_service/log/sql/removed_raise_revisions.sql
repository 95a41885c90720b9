-- Raise the revisions of those of the rows $1 that exist again.
UPDATE llama_logs l SET revision = {next_revision} WHERE l.id = ANY ($1::uuid[])
