-- The topics of which the table has recorded positions.
SELECT DISTINCT topic FROM consumer_positions ORDER BY topic
