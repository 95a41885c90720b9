-- Name the cycle ($2, its members as JSON text: an array of arrays would have to be rectangular) that each
-- endless job ($1) hangs on.
INSERT INTO rule_ends (job, parent, ending, cycle_members, in_scope)
SELECT j.job, j.parent, 'CYCLE', ARRAY(SELECT jsonb_array_elements_text(u.members::jsonb)), j.in_scope
FROM unnest($1::text[], $2::text[]) AS u (job, members)
JOIN rule_jobs j USING (job)
