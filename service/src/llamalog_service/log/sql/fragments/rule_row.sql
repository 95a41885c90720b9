-- A row `l` that claims `l.claimed` as its parent: what the rule gives it by the end `e` of its walk, and what it has now.
l.id AS row_id,
{verdict},
l.job_id IS NOT NULL AND l.claimed IS NOT NULL AND l.claimed IS DISTINCT FROM e.parent AS parent_conflict,
l.revision, e.job AS start, e.top,
l.root_job_id AS root_now, l.origin AS origin_now, l.cycle_members AS cycle_now,
l.parent_conflict AS conflict_now, l.origin IS NULL AND l.is_root_job IS TRUE AND l.parent_job_id IS NOT NULL AS parent_cleared
