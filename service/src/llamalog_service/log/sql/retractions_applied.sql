-- The retractions $1 (uuid[]) wait no longer, but for those that were asked for again since the times $2.
UPDATE retractions t SET waits_since = NULL
FROM unnest($1::uuid[], $2::timestamptz[]) AS done (id, waits_since)
WHERE t.id = done.id AND t.waits_since = done.waits_since
