-- The rows that were removed because nobody had told them.
SELECT id FROM llamalog_rebuild.differences WHERE kind = 'extra' AND mended
