-- What the fragment `correction` changed, by the job that the rows' walk starts at, unless more than 10,000 rows did, and by
-- their new origin.
LEFT JOIN (
    SELECT CASE WHEN are_few THEN start END AS start, origin::text, count(*)::integer AS changed,
           array_remove(array_agg(known_after), NULL) AS known_after,
           (count(*) FILTER (WHERE conflicts_now))::integer AS conflicts,
           (count(*) FILTER (WHERE disagrees_now))::integer AS disagreeing
    FROM changed
    CROSS JOIN (SELECT count(*) <= 10000 AS are_few FROM changed) counted
    GROUP BY 1, origin
) grouped ON true
