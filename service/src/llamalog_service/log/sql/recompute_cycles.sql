-- Name the cycle ($2, its members as JSON text: an array of arrays would have to be rectangular) that each
-- endless job ($1) hangs on.
INSERT INTO recompute_ends (job, ending, cycle_members)
SELECT u.job, 'CYCLE', ARRAY(SELECT jsonb_array_elements_text(u.members::jsonb))
FROM unnest($1::text[], $2::text[]) AS u (job, members)
