-- Note that events tell of the legacy rows $1, what these said of their parent ($2) and root ($3), and where in the topic
-- (partitions $4, offsets $5).
INSERT INTO llamalog_rebuild.legacy_rows (row_id, parent_job_id, root_job_id, partition, "offset")
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::integer[], $5::bigint[])
