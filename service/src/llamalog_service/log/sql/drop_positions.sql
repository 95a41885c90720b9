-- Delete the positions in a topic ($1), and return them.
DELETE FROM consumer_positions WHERE topic = $1 RETURNING consumer_group, partition, next_offset
