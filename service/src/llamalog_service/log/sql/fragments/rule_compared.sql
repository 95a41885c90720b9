-- Of rows `r` as of the fragment `rule_row`: what the rule gives them, and whether they have it.
r.row_id, r.root_job_id, r.origin, r.cycle_members, r.parent_conflict, r.revision, r.start, r.top,
(r.root_now, r.origin_now, r.cycle_now, r.conflict_now)
    IS DISTINCT FROM (r.root_job_id, r.origin, r.cycle_members, r.parent_conflict) AS differs,
r.origin_now IS NOT NULL AS was_settled,
r.origin_now IS NULL AND (r.parent_cleared OR r.root_now IS NOT NULL) AS needs_normalising
