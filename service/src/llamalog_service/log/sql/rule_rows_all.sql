-- What the rule gives the rows created from $1 up to before $2 (NULL: at any time), and whether they have it.
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
    FROM (
        SELECT *, CASE WHEN origin IS NULL AND is_root_job THEN NULL ELSE parent_job_id END AS claimed FROM llama_logs
        WHERE ($1::timestamp IS NULL OR created_at >= $1) AND ($2::timestamp IS NULL OR created_at < $2)
    ) l
    LEFT JOIN rule_ends e ON e.job = coalesce(l.job_id, l.claimed)
) r
