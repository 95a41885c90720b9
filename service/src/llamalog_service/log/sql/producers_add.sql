-- Give a number to each of the producers $1 (text[]) that has none. In one order, so that two who add the same wait for each
-- other instead of a deadlock.
INSERT INTO event_producers (source)
SELECT DISTINCT wanted.source
FROM unnest($1::text[]) AS wanted (source)
WHERE NOT EXISTS (SELECT FROM event_producers p WHERE p.source = wanted.source)
ORDER BY wanted.source
ON CONFLICT DO NOTHING
