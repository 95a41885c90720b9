-- Remove roots and differences of an earlier comparison.
TRUNCATE llamalog_rebuild.roots, llamalog_rebuild.differences
