-- Of the tops $1 those about which nobody has decreed anything.
SELECT j.job FROM plan_jobs j WHERE j.job = ANY ($1::text[]) AND j.adopted IS NULL
