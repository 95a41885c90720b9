-- How many of the producers $1 (text[]) have no number.
SELECT count(*)
FROM unnest($1::text[]) AS wanted (source)
WHERE NOT EXISTS (SELECT FROM event_producers p WHERE p.source = wanted.source)
