-- Mark those of the legacy rows $1 that had no source event as sourced.
UPDATE llama_logs SET legacy_told = true
WHERE id = ANY ($1::uuid[]) AND (legacy_told IS FALSE OR legacy_told IS NULL AND origin IS NULL)
