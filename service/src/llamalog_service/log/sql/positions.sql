-- The next offsets that a group ($1) has recorded of a topic ($2), by partition.
SELECT partition, next_offset FROM consumer_positions WHERE consumer_group = $1 AND topic = $2
