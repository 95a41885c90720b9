-- Whether a planned row differed from the plan that was settled already.
SELECT EXISTS (SELECT FROM backfill_plan WHERE differs AND was_settled)
