-- The next $2 planned rows after the position $1 that differ.
SELECT p.*
FROM backfill_plan p
WHERE p.position > $1 AND p.differs
ORDER BY p.position
LIMIT $2
