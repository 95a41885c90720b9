-- Replace the positions in a topic ($1) by those in another ($2): next offsets ($5) of groups ($3) and partitions ($4).
WITH gone AS (
    DELETE FROM consumer_positions WHERE topic = $1
)
INSERT INTO consumer_positions (consumer_group, topic, partition, next_offset)
SELECT u.consumer_group, $2, u.partition, u.next_offset
FROM unnest($3::text[], $4::integer[], $5::bigint[]) AS u (consumer_group, partition, next_offset)
ON CONFLICT (consumer_group, topic, partition)
DO UPDATE SET next_offset = excluded.next_offset, updated_at = now()
