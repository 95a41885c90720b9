-- Note how far ($2) partitions ($1) were read into the shadow, and count messages ($3), invalid ones ($4) and
-- tombstones ($5) to what was read before.
INSERT INTO llamalog_rebuild.positions AS p (partition, next_offset, messages, dead_letters, tombstones)
SELECT * FROM unnest($1::integer[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
ON CONFLICT (partition) DO UPDATE
SET next_offset = excluded.next_offset,
    messages = p.messages + excluded.messages,
    dead_letters = p.dead_letters + excluded.dead_letters,
    tombstones = p.tombstones + excluded.tombstones
