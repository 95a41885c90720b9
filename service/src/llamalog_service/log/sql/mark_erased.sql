-- Mark rows ($1) of which a person was erased before they were written.
UPDATE llama_logs l SET erased = true WHERE l.id = ANY ($1::uuid[]) AND NOT l.erased
