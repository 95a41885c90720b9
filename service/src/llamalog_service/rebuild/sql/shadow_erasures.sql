-- Keep erasures in the shadow, each id once, the first of them; their metadata keys ($3) as JSON texts.
INSERT INTO llamalog_rebuild.erasures (id, user_digest, metadata_keys, reason, requested_by, erased_at)
{given_erasures}
ON CONFLICT (id) DO NOTHING
