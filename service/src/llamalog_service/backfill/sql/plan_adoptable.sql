-- Of the tops $1 those without an override.
SELECT j.job FROM rule_jobs j WHERE j.job = ANY ($1::text[]) AND j.adopted IS NULL
