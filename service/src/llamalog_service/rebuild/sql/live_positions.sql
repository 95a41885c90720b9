-- How far the table has recorded a topic ($1), by partition: the furthest position of any group, since each group records
-- every event from the beginning on, in the transaction that notes its position.
SELECT partition, max(next_offset) AS next_offset FROM consumer_positions WHERE topic = $1 GROUP BY partition
