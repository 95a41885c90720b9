-- The rows from the time $1 up to before $2 by category, in buckets of one $3 (hour, day, week).
SELECT date_trunc($3::text, l.created_at) AT TIME ZONE 'UTC' AS at, l.category, count(*) AS rows
FROM llama_logs l
WHERE l.created_at >= $1::timestamp AND l.created_at < $2::timestamp
GROUP BY 1, 2
ORDER BY 1, 2
