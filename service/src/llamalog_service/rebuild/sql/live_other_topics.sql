-- The topics beside those of $1 from which the table has recorded events.
SELECT DISTINCT topic FROM consumer_positions WHERE topic <> ALL ($1::text[]) ORDER BY topic
