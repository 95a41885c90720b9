-- The next offsets that every group has recorded of a topic ($1).
SELECT consumer_group, partition, next_offset FROM consumer_positions WHERE topic = $1
