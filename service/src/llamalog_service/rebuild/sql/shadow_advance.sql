-- Record the next offsets ($2) of partitions ($1), and add messages ($3), dead letters ($4) and tombstones ($5) to the counts.
INSERT INTO llamalog_rebuild.positions AS p (partition, next_offset, messages, dead_letters, tombstones)
SELECT * FROM unnest($1::integer[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
ON CONFLICT (partition) DO UPDATE
SET next_offset = excluded.next_offset,
    messages = p.messages + excluded.messages,
    dead_letters = p.dead_letters + excluded.dead_letters,
    tombstones = p.tombstones + excluded.tombstones
