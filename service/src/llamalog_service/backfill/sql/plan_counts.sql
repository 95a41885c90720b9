-- How many planned rows are of each origin, and how many of them claim another parent than the one that counts; and
-- the same of those that are as planned already.
SELECT p.origin::text AS origin, count(*)::integer AS rows,
       count(*) FILTER (WHERE p.parent_conflict)::integer AS conflicts,
       count(*) FILTER (WHERE NOT p.differs)::integer AS "right",
       count(*) FILTER (WHERE p.parent_conflict AND NOT p.differs)::integer AS right_conflicts
FROM backfill_plan p
GROUP BY p.origin
