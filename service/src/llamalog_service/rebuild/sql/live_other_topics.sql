-- The topics beside $1 from which the table has recorded events.
SELECT DISTINCT topic FROM consumer_positions WHERE topic <> $1 ORDER BY topic
