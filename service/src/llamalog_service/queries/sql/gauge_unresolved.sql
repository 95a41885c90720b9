-- Rows whose root may still become known, by origin, with the age of the oldest in seconds; at most $1 are read.
SELECT u.origin::text, count(*) AS rows, extract(epoch FROM now() - min(u.recorded_at))::double precision AS oldest
FROM (
    SELECT l.origin, l.recorded_at
    FROM llama_logs l
    WHERE l.origin IS NULL OR l.origin IN ('PENDING', 'DECLARED')
    LIMIT $1
) u
GROUP BY u.origin
