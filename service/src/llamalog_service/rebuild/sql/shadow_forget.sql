-- Leave in the shadow what was told alone, so that it can be read on: without what a comparison took from the live table,
-- what it worked out, and the indexes of a repair; with the contents that it passed over, since the live table may hold
-- another of them by now.
DROP INDEX IF EXISTS llamalog_rebuild.rows_id, llamalog_rebuild.roots_id, llamalog_rebuild.differences_id,
    llamalog_rebuild.legacy_rows_id;
DELETE FROM llamalog_rebuild.llama_logs WHERE partition < 0;
DELETE FROM llamalog_rebuild.root_decrees WHERE partition < 0;
INSERT INTO llamalog_rebuild.llama_logs SELECT * FROM llamalog_rebuild.passed_over;
TRUNCATE llamalog_rebuild.passed_over, llamalog_rebuild.roots, llamalog_rebuild.differences, llamalog_rebuild.comparison
