-- Unpublished corrections, and the age of the oldest in seconds; at most $1 are read.
SELECT count(*) AS rows, coalesce(extract(epoch FROM now() - min(o.noted_at)), 0)::double precision AS oldest
FROM (SELECT noted_at FROM provenance_outbox LIMIT $1) o
