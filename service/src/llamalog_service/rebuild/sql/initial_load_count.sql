-- How many rows the shadow has.
SELECT count(*) FROM llamalog_rebuild.llama_logs
