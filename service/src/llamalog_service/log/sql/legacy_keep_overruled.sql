-- Keep the parents ($2) and roots ($3) of the legacy rows $1 that the rules overrule.
INSERT INTO legacy_values AS v (row_id, parent_job_id, root_job_id)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[])
ON CONFLICT (row_id) DO UPDATE
SET parent_job_id = coalesce(v.parent_job_id, excluded.parent_job_id),
    root_job_id = coalesce(v.root_job_id, excluded.root_job_id)
