-- Write the rows in scope whose root, origin, cycle or conflict differs from the rule, note each new revision in
-- the outbox, and return what changed, by the job that the rows' walk starts at and by their new origin. A root that
-- another program computed is kept in legacy_values; its row waits for the next pass if it came after the normalisation.
WITH expected AS (
    SELECT r.id,
           CASE WHEN e.ending = 'OPEN' THEN coalesce(r.declared_root_job_id, e.root) ELSE e.root END AS root_job_id,
           CASE e.ending
               WHEN 'SEEN' THEN CASE WHEN r.job_id = e.root THEN 'ROOT' ELSE 'RESOLVED' END
               WHEN 'OPEN' THEN CASE WHEN coalesce(r.declared_root_job_id, e.root) IS NULL
                                     THEN 'PENDING' ELSE 'DECLARED' END
               ELSE e.ending
           END::"LlamaLogOrigin" AS origin,
           e.cycle_members,
           r.job_id IS NOT NULL AND r.parent_job_id IS NOT NULL AND r.parent_job_id IS DISTINCT FROM j.parent
               AS parent_conflict,
           e.job AS start,
           CASE WHEN r.origin IS NULL THEN r.root_job_id END AS overruled_root,
           r.root_job_id IS NULL AS was_unknown,
           r.parent_conflict AS was_in_conflict,
           r.root_job_id IS NOT NULL AND r.declared_root_job_id <> r.root_job_id AS did_disagree
    FROM recompute_jobs j
    JOIN recompute_ends e USING (job)
    CROSS JOIN LATERAL (
        SELECT l.id, l.job_id, l.parent_job_id, l.declared_root_job_id, l.root_job_id, l.origin, l.parent_conflict
        FROM llama_logs l
        WHERE {l bears j.job}
        UNION ALL
        SELECT l.id, l.job_id, l.parent_job_id, l.declared_root_job_id, l.root_job_id, l.origin, l.parent_conflict
        FROM llama_logs l
        WHERE l.parent_job_id = j.job AND l.job_id IS NULL
        OFFSET 0
    ) r
    WHERE j.in_scope
), changed AS (
    UPDATE llama_logs l
    SET root_job_id = x.root_job_id,
        origin = x.origin,
        cycle_members = x.cycle_members,
        parent_conflict = x.parent_conflict,
        legacy_told = CASE WHEN l.origin IS NULL THEN coalesce(l.legacy_told, false) ELSE l.legacy_told END,
        revision = l.revision + 1
    FROM expected x
    WHERE l.id = x.id
      AND (l.root_job_id, l.origin, l.cycle_members, l.parent_conflict)
          IS DISTINCT FROM (x.root_job_id, x.origin, x.cycle_members, x.parent_conflict)
      AND NOT (l.origin IS NULL AND l.is_root_job IS TRUE AND l.parent_job_id IS NOT NULL)
    RETURNING l.id, l.revision, x.start, l.origin, x.overruled_root,
              CASE WHEN x.was_unknown AND l.root_job_id IS NOT NULL
                   THEN extract(epoch FROM now() - l.recorded_at)::double precision END AS known_after,
              l.parent_conflict AND NOT x.was_in_conflict AS conflicts_now,
              coalesce(l.declared_root_job_id <> l.root_job_id AND NOT coalesce(x.did_disagree, false), false)
                  AS disagrees_now
), noted AS (
    INSERT INTO provenance_outbox (row_id, revision) SELECT id, revision FROM changed
), kept AS (
    INSERT INTO legacy_values (row_id, root_job_id)
    SELECT id, overruled_root FROM changed WHERE overruled_root IS NOT NULL
    ON CONFLICT (row_id) DO UPDATE
    SET root_job_id = coalesce(legacy_values.root_job_id, excluded.root_job_id)
)
SELECT start, origin::text, count(*)::integer AS changed,
       array_remove(array_agg(known_after), NULL) AS known_after,
       (count(*) FILTER (WHERE conflicts_now))::integer AS conflicts,
       (count(*) FILTER (WHERE disagrees_now))::integer AS disagreeing
FROM changed
GROUP BY start, origin
