-- The cycles with their members, the rows on them and below them: at most $2 behind the one whose first member is $1.
SELECT l.cycle_members AS members, count(*) AS rows, min(l.created_at) AS since
FROM llama_logs l
WHERE l.origin = 'CYCLE' AND l.cycle_members[1] > $1::text
GROUP BY l.cycle_members
ORDER BY l.cycle_members
LIMIT $2
