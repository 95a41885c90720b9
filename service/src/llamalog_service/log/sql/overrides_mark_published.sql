-- The overrides $1 are published, or no event can hold them.
UPDATE root_overrides SET to_publish = false WHERE id = ANY ($1::uuid[]) AND to_publish
