-- Note the next offsets ($4) of partitions ($3) of topics ($2) for a group ($1), and return what was noted before of all;
-- a late writer moves none back.
WITH before AS (
    SELECT topic, partition, next_offset FROM consumer_positions WHERE consumer_group = $1
), noted AS (
    INSERT INTO consumer_positions AS p (consumer_group, topic, partition, next_offset)
    SELECT $1, u.topic, u.partition, u.next_offset
    FROM unnest($2::text[], $3::integer[], $4::bigint[]) AS u (topic, partition, next_offset)
    ON CONFLICT (consumer_group, topic, partition)
    DO UPDATE SET next_offset = excluded.next_offset, updated_at = now()
    WHERE p.next_offset < excluded.next_offset
)
SELECT topic, partition, next_offset FROM before
