-- Record the legacy rows $1, their overruled parents ($2) and roots ($3), and their partitions ($4) and offsets ($5).
INSERT INTO llamalog_rebuild.legacy_rows (row_id, parent_job_id, root_job_id, partition, "offset")
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::integer[], $5::bigint[])
