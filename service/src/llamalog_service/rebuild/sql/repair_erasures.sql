-- Insert the erasures of the shadow that the live table lacks; $1 (boolean): whether its rows are erased by them already.
INSERT INTO erasures (id, user_digest, metadata_keys, reason, requested_by, erased_at, applied_at)
SELECT id, user_digest, metadata_keys, reason, requested_by, erased_at, CASE WHEN $1 THEN now() END FROM llamalog_rebuild.erasures
ON CONFLICT (id) DO NOTHING
