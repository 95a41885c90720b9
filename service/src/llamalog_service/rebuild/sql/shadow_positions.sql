-- The next offsets of the shadow by partition, and counts of the messages before them.
SELECT partition, next_offset, messages, dead_letters, tombstones FROM llamalog_rebuild.positions
