-- The newest title or name that an event about each of the entities $1 (uuid[]) of the types $2 (text[]) carried.
SELECT e.id AS entity_id, named.name
FROM unnest($1::uuid[], $2::text[]) AS e (id, type)
CROSS JOIN LATERAL (
    SELECT n.name
    FROM (
        SELECT {name} AS name, l.entity_type::text AS type
        FROM llama_logs l
        WHERE {l is about e.id}
        ORDER BY {second of l.created_at} DESC, l.created_at DESC, l.id DESC
        LIMIT 1000
    ) n
    WHERE n.name IS NOT NULL AND n.type = e.type
    LIMIT 1
) named
