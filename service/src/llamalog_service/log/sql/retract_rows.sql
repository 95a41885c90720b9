-- The rows $1 (uuid[]) that are not as their retractions want them, but for those that were refused as they are.
SELECT l.id AS row_id, {is_retracted} AS retracted, l.revision AS revision_now
FROM llama_logs l
WHERE l.id = ANY ($1::uuid[]) AND l.retracted IS DISTINCT FROM {is_retracted}
  AND NOT EXISTS (SELECT FROM refused_rows f WHERE f.row_id = l.id AND f.write = 'retract' AND f.seen = l.xmin)
ORDER BY l.id
FOR UPDATE OF l
