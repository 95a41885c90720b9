-- How far each partition was read into the shadow, and what was found.
SELECT partition, next_offset, messages, dead_letters, tombstones FROM llamalog_rebuild.positions
