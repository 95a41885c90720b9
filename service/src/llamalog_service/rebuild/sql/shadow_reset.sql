-- Undo in the shadow all but the reading of rows: those copied from the live table, overrides, which are read anew each time,
-- roots and differences, and the indexes of a repair. The other contents of deduplicated ids come back, since the live table may hold another of them by now.
DROP INDEX IF EXISTS llamalog_rebuild.rows_id, llamalog_rebuild.roots_id, llamalog_rebuild.differences_id,
    llamalog_rebuild.legacy_rows_id;
DELETE FROM llamalog_rebuild.llama_logs WHERE partition < 0;
INSERT INTO llamalog_rebuild.llama_logs SELECT * FROM llamalog_rebuild.other_contents;
TRUNCATE llamalog_rebuild.other_contents, llamalog_rebuild.root_overrides, llamalog_rebuild.erasures, llamalog_rebuild.retractions, llamalog_rebuild.roots, llamalog_rebuild.differences, llamalog_rebuild.comparison
