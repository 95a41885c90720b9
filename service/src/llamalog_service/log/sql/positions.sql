-- The next offsets that a group ($1) has recorded, by topic and partition.
SELECT topic, partition, next_offset FROM consumer_positions WHERE consumer_group = $1
