-- The cycles with their members, the rows on them and below them: at most $2 behind the one whose first member is $1.
SELECT l.cycle_members AS members, count(*) AS rows, least(greatest(min(l.created_at), '0001-01-01'), '9999-12-31 23:59:59.999') AT TIME ZONE 'UTC' AS since
FROM llama_logs l
WHERE l.origin = 'CYCLE' AND l.cycle_members[1] > $1::text
GROUP BY l.cycle_members
ORDER BY l.cycle_members
LIMIT $2
