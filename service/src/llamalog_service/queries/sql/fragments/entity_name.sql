-- The latest name that rows about the entity $7 (uuid) of the type $8 (text) give it.
(SELECT n.name
 FROM (
     SELECT {name} AS name
     FROM llama_logs l
     WHERE {l is about $7::uuid} AND l.entity_type::text = $8::text
     ORDER BY {second of l.created_at} DESC, l.created_at DESC, l.id DESC
     LIMIT 1000
 ) n
 WHERE n.name IS NOT NULL
 LIMIT 1)
