-- Note positions in a topic ($1): next offsets ($4) of groups ($2) and partitions ($3), in place of what was noted.
INSERT INTO consumer_positions (consumer_group, topic, partition, next_offset)
SELECT u.consumer_group, $1, u.partition, u.next_offset
FROM unnest($2::text[], $3::integer[], $4::bigint[]) AS u (consumer_group, partition, next_offset)
ON CONFLICT (consumer_group, topic, partition)
DO UPDATE SET next_offset = excluded.next_offset, updated_at = now()
