-- The cycles with their members, the rows on them and below them: at most $2 behind the one whose first member is $1. The
-- first is given; of the others those that keep all of them within $3 bytes, and one more, marked as `beyond`.
SELECT c.members, c.rows, c.since, c.number > 1 AND c.upto > $3::bigint AS beyond
FROM (
    SELECT c.*, row_number() OVER w AS number, sum(c.bytes) OVER w AS upto, sum(c.bytes) OVER w - c.bytes AS before
    FROM (
        SELECT l.cycle_members AS members, count(*) AS rows, octet_length(l.cycle_members::text) AS bytes,
               least(greatest(min(l.created_at), '0001-01-01'), '9999-12-31 23:59:59.999') AT TIME ZONE 'UTC' AS since
        FROM llama_logs l
        WHERE l.origin = 'CYCLE' AND l.cycle_members[1] > $1::text
        GROUP BY l.cycle_members
        ORDER BY l.cycle_members
        LIMIT $2
    ) c
    WINDOW w AS (ORDER BY c.members ROWS UNBOUNDED PRECEDING)
) c
WHERE c.number <= 2 OR c.before <= $3::bigint
ORDER BY c.members
