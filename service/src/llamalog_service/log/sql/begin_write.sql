-- The number and the time of the transaction; whether any row was ever removed, and those of the new rows ($1) that were, each
-- with the highest revision that it had; the types of the columns $2 (text[]) by their numbers, 0 for an enum, NULL if one is
-- missing; those of the producers $3 (text[]) that have a number; and the number of erasures. now() is what recorded_at
-- defaults to.
SELECT pg_current_xact_id()::xid AS transaction, now() AS recorded_at, EXISTS (SELECT FROM removed_rows) AS are_removed,
       removed.ids, removed.revisions, (
    SELECT CASE WHEN count(*) = cardinality($2::text[]) THEN
           array_agg(CASE typed.typtype WHEN 'e' THEN 0 ELSE typed.oid::bigint END ORDER BY wanted.number) END
    FROM unnest($2::text[]) WITH ORDINALITY AS wanted (name, number)
    JOIN pg_attribute held ON held.attrelid = 'llama_logs'::regclass AND held.attname = wanted.name
    JOIN pg_type typed ON typed.oid = held.atttypid
) AS types, producers.sources, producers.numbers, (SELECT count(*) FROM erasures) AS erasures
FROM (
    SELECT array_agg(one.row_id) AS ids, array_agg(one.revision) AS revisions
    FROM (
        SELECT row_id, coalesce(max((content ->> 'revision')::integer), 0) AS revision
        FROM removed_rows WHERE row_id = ANY ($1::uuid[]) GROUP BY row_id
    ) one
) removed
CROSS JOIN (
    SELECT array_agg(found.source) AS sources, array_agg(found.id) AS numbers
    FROM unnest($3::text[]) AS wanted (source)
    CROSS JOIN LATERAL (SELECT p.source, p.id FROM event_producers p WHERE p.source = wanted.source OFFSET 0) found
) producers
