-- Erase from the shadow's rows the persons whom its erasures name, and from rows of which a person was erased the metadata keys.
WITH gone AS (
    SELECT ARRAY(SELECT DISTINCT unnest(e.metadata_keys) FROM llamalog_rebuild.erasures e) AS keys
)
UPDATE llamalog_rebuild.llama_logs l
SET user_id = NULL,
    metadata = {metadata_without_keys},
    erased = true
FROM gone g
WHERE NOT l.erased AND l.user_id IS NOT NULL AND {digest of user l.user_id} IN (SELECT e.user_digest FROM llamalog_rebuild.erasures e)
   OR NOT l.erased AND (l.id, l.partition, l."offset") IN
      (SELECT m.row_id, m.partition, m."offset" FROM llamalog_rebuild.erased_events m)
   OR l.erased AND jsonb_typeof(l.metadata) = 'object' AND l.metadata ?| g.keys
