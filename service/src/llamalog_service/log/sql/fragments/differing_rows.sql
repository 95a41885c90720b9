-- The rows of the jobs `recompute_jobs` in scope that differ from what the rule gives them by `recompute_ends`.
SELECT x.*
FROM (
    SELECT l.id AS row_id,
           {verdict},
           l.job_id IS NOT NULL AND NOT l.retracted AND l.parent_job_id IS NOT NULL AND l.parent_job_id IS DISTINCT FROM j.parent
               AS parent_conflict,
           e.job AS start,
           CASE WHEN l.origin IS NULL THEN l.root_job_id END AS overruled_root,
           l.root_job_id IS NULL AS was_unknown,
           l.parent_conflict AS was_in_conflict,
           l.root_job_id IS NOT NULL AND {declared} <> l.root_job_id AS did_disagree,
           l.root_job_id AS root_now, l.origin AS origin_now, l.cycle_members AS cycle_now, l.revision AS revision_now,
           l.xmin AS version
    FROM recompute_jobs j
    JOIN recompute_ends e USING (job)
    CROSS JOIN LATERAL (
        SELECT l.id, l.job_id, l.parent_job_id, l.declared_root_job_id, l.root_job_id, l.origin, l.cycle_members,
               l.parent_conflict, l.retracted, l.is_root_job, l.revision, l.xmin
        FROM llama_logs l
        WHERE {l bears j.job}
        UNION ALL
        SELECT l.id, l.job_id, l.parent_job_id, l.declared_root_job_id, l.root_job_id, l.origin, l.cycle_members,
               l.parent_conflict, l.retracted, l.is_root_job, l.revision, l.xmin
        FROM llama_logs l
        WHERE {l names j.job} AND l.job_id IS NULL
        OFFSET 0
    ) l
    WHERE j.in_scope AND NOT (l.origin IS NULL AND l.is_root_job IS TRUE AND l.parent_job_id IS NOT NULL)
    OFFSET 0
) x
WHERE (x.root_now, x.origin_now, x.cycle_now, x.was_in_conflict)
      IS DISTINCT FROM (x.root_job_id, x.origin, x.cycle_members, x.parent_conflict)
  AND NOT EXISTS (
      SELECT FROM refused_rows f
      WHERE f.row_id = x.row_id AND f.write = 'root' AND f.seen = x.version
        AND f.aim = row(x.root_job_id, x.origin, x.cycle_members, x.parent_conflict)::text)
