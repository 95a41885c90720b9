-- Note that events tell of the legacy rows $1, and what these said of their parent ($2) and root ($3).
INSERT INTO llamalog_rebuild.legacy_rows (row_id, parent_job_id, root_job_id)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[])
