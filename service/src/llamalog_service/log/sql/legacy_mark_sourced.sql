-- Mark those of the legacy rows $1 that had no source event as sourced.
UPDATE llama_logs SET legacy_sourced = true
WHERE id = ANY ($1::uuid[]) AND (legacy_sourced IS FALSE OR legacy_sourced IS NULL AND origin IS NULL)
