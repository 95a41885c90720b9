-- What the rule gives the rows that start at the jobs in scope, and whether they have it.
SELECT r.row_id, r.root_job_id, r.origin, r.cycle_members, r.parent_conflict, r.revision, r.start, r.top,
       (r.root_now, r.origin_now, r.cycle_now, r.conflict_now)
           IS DISTINCT FROM (r.root_job_id, r.origin, r.cycle_members, r.parent_conflict) AS differs,
       r.origin_now IS NOT NULL AS was_settled,
       r.origin_now IS NULL AND (r.parent_cleared OR r.root_now IS NOT NULL) AS needs_normalising
FROM (
    SELECT l.id AS row_id,
           {verdict},
           l.job_id IS NOT NULL AND l.claimed IS NOT NULL AND l.claimed IS DISTINCT FROM e.parent AS parent_conflict,
           l.revision, e.job AS start, e.top,
           l.root_job_id AS root_now, l.origin AS origin_now, l.cycle_members AS cycle_now,
           l.parent_conflict AS conflict_now, l.claimed IS DISTINCT FROM l.parent_job_id AS parent_cleared
    FROM rule_ends e
    CROSS JOIN LATERAL (
        SELECT l.*, CASE WHEN l.origin IS NULL AND l.is_root_job THEN NULL ELSE l.parent_job_id END AS claimed
        FROM llama_logs l
        WHERE {l bears e.job}
        UNION ALL
        SELECT l.*, l.parent_job_id
        FROM llama_logs l
        WHERE l.parent_job_id = e.job AND l.job_id IS NULL AND {claims}
        OFFSET 0
    ) l
    WHERE e.in_scope
) r
