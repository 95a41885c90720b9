-- The overrides of the shadow.
SELECT id FROM llamalog_rebuild.root_overrides ORDER BY id
