-- Forget the roots worked out before.
TRUNCATE llamalog_rebuild.roots, llamalog_rebuild.differences
