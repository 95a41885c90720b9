-- Give those of the rows $1 that were removed before and put in again by another writer a revision above all that they had.
UPDATE llama_logs l SET revision = {next_revision}
WHERE l.id = ANY ($1::uuid[])
