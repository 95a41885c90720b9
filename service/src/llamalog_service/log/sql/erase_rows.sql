-- The rows after $1 and up to $2 of persons that are erased, and those of which one was that hold a key to be removed by now, but
-- for those that were refused as they are.
SELECT l.id AS row_id
FROM llama_logs l
WHERE l.id > $1::uuid AND l.id <= $2::uuid
  AND (l.user_id IS NOT NULL AND {digest of user l.user_id} IN (SELECT e.user_digest FROM erasures e)
       OR l.erased AND jsonb_typeof(l.metadata) = 'object'
          AND l.metadata ?| ARRAY(SELECT unnest(e.metadata_keys) FROM erasures e))
  AND NOT EXISTS (SELECT FROM refused_rows f WHERE f.row_id = l.id AND f.write = 'erase' AND f.seen = l.xmin)
ORDER BY l.id
FOR UPDATE OF l
