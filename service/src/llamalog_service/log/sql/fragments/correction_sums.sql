-- What the fragment `correction` changed, by the job that the rows' walk starts at and by their new origin.
LEFT JOIN (
    SELECT start, origin::text, count(*)::integer AS changed,
           array_remove(array_agg(known_after), NULL) AS known_after,
           (count(*) FILTER (WHERE conflicts_now))::integer AS conflicts,
           (count(*) FILTER (WHERE disagrees_now))::integer AS disagreeing
    FROM changed
    GROUP BY start, origin
) grouped ON true
