-- Whether a planned row that had an origin before differed from the plan.
SELECT EXISTS (SELECT FROM backfill_plan WHERE differs AND was_settled)
