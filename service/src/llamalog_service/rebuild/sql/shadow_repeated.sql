-- The ids of which the shadow has several rows, in a work table of their own: with its statistics the rows of a few
-- repeated ids are removed one by one, without reading the shadow again.
DROP TABLE IF EXISTS pg_temp.repeated_ids;
CREATE TEMPORARY TABLE repeated_ids AS
SELECT id FROM llamalog_rebuild.llama_logs GROUP BY id HAVING count(*) > 1;
ANALYZE repeated_ids
