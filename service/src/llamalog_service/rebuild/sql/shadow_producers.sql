-- The producers of the shadow's rows.
SELECT DISTINCT producer FROM llamalog_rebuild.llama_logs WHERE producer IS NOT NULL
