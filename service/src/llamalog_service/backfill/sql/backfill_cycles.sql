-- The cycles among the planned rows, with the number of rows on and below each, the largest first.
SELECT p.cycle_members AS members, count(*)::integer AS rows
FROM backfill_plan p
WHERE p.origin = 'CYCLE'
GROUP BY p.cycle_members
ORDER BY count(*) DESC, p.cycle_members
