-- Name the cycle ($2, JSON arrays of its members) that each endless job ($1) hangs on.
INSERT INTO recompute_ends (job, ending, cycle_members)
SELECT u.job, 'CYCLE', ARRAY(SELECT jsonb_array_elements_text(u.members))
FROM unnest($1::text[], $2::jsonb[]) AS u (job, members)
