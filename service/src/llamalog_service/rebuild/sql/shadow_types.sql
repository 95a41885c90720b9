-- The types of the columns $1 (text[]) of the shadow's rows by their numbers, 0 for an enum.
SELECT array_agg(CASE typed.typtype WHEN 'e' THEN 0 ELSE typed.oid::bigint END ORDER BY wanted.number)
FROM unnest($1::text[]) WITH ORDINALITY AS wanted (name, number)
JOIN pg_attribute held ON held.attrelid = 'llamalog_rebuild.llama_logs'::regclass AND held.attname = wanted.name
JOIN pg_type typed ON typed.oid = held.atttypid
