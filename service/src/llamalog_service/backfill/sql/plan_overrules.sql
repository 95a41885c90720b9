-- Whether a planned row differed from the plan although somebody had looked at it before.
SELECT EXISTS (SELECT FROM backfill_plan WHERE differs AND was_settled)
