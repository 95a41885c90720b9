-- The own values of planned rows before they were normalised: parents that were cleared, roots that are others now.
SELECT count(*) FILTER (WHERE v.parent_job_id IS NOT NULL)::integer AS parents_cleared,
       count(*) FILTER (WHERE v.root_job_id IS NOT NULL AND v.root_job_id IS DISTINCT FROM p.root_job_id)::integer
           AS roots_overruled
FROM legacy_values v
JOIN backfill_plan p ON p.row_id = v.row_id
