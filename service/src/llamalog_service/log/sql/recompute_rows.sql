-- The rows in scope whose root, origin, cycle or conflict differs from the rule, with the job that their walk starts at;
-- without those that were refused as they are, and those that came as a root job with a parent after the normalisation.
{differing_rows}
