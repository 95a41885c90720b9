-- Record the events of which a person was erased before: their rows $1, partitions $2 and offsets $3.
INSERT INTO llamalog_rebuild.erased_events (row_id, partition, "offset")
SELECT * FROM unnest($1::uuid[], $2::integer[], $3::bigint[])
