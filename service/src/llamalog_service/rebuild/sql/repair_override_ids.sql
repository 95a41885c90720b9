-- The overrides of the shadow that events state.
SELECT id FROM llamalog_rebuild.root_overrides WHERE partition >= 0 ORDER BY id
