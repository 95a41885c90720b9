-- Erase likewise from the rows that repairs removed and kept.
WITH gone AS (
    SELECT ARRAY(SELECT DISTINCT unnest(e.metadata_keys) FROM erasures e) AS keys
)
UPDATE removed_rows r
SET content = r.content || '{"user_id": null, "erased": true}'
    || CASE WHEN jsonb_typeof(r.content -> 'metadata') = 'object'
            THEN jsonb_build_object('metadata', (r.content -> 'metadata') - g.keys) ELSE '{}' END
FROM gone g
WHERE r.content ->> 'user_id' IS NOT NULL
      AND {digest of user (r.content ->> 'user_id')}
          IN (SELECT e.user_digest FROM erasures e)
   OR r.content -> 'erased' = 'true' AND jsonb_typeof(r.content -> 'metadata') = 'object'
      AND r.content -> 'metadata' ?| g.keys
