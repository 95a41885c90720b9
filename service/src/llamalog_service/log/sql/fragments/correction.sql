-- Write the rows `wanted`, note each new revision in the outbox and each change in the history, and keep the roots that another
-- program had computed.
new_correction AS (
    {new_correction} WHERE EXISTS (SELECT FROM wanted) RETURNING id
), changed AS (
    UPDATE llama_logs l
    SET root_job_id = x.root_job_id,
        origin = x.origin,
        cycle_members = x.cycle_members,
        parent_conflict = x.parent_conflict,
        legacy_sourced = CASE WHEN l.origin IS NULL THEN coalesce(l.legacy_sourced, false) ELSE l.legacy_sourced END,
        settled_by = {settled_by},
        revision = {next_revision}
    FROM wanted x
    WHERE l.id = x.row_id
      AND (l.root_job_id, l.origin, l.cycle_members, l.parent_conflict)
          IS DISTINCT FROM (x.root_job_id, x.origin, x.cycle_members, x.parent_conflict)
      AND NOT (l.origin IS NULL AND l.is_root_job IS TRUE AND l.parent_job_id IS NOT NULL)
    RETURNING l.id, l.revision, x.start, l.origin, l.root_job_id, x.overruled_root, x.root_now, x.origin_now,
              CASE WHEN x.was_unknown AND l.root_job_id IS NOT NULL
                   THEN extract(epoch FROM now() - l.recorded_at)::double precision END AS known_after,
              l.parent_conflict AND NOT x.was_in_conflict AS conflicts_now,
              coalesce({declared} <> l.root_job_id AND NOT coalesce(x.did_disagree, false), false)
                  AS disagrees_now,
              (l.root_job_id, l.origin, l.cycle_members, l.parent_conflict)
                  IS NOT DISTINCT FROM (x.root_job_id, x.origin, x.cycle_members, x.parent_conflict)
              AND l.revision > x.revision_now AS as_wanted
), noted AS (
    INSERT INTO provenance_outbox (row_id, revision, bulk)
    SELECT id, revision,
           count(*) OVER (PARTITION BY root_job_id) > 1000 OR (SELECT count(*) FROM changed) > 10000
    FROM changed
), known AS (
    SELECT id, revision, root_job_id, origin, root_now, origin_now FROM changed
), remembered AS (
    {remember}
), kept AS (
    INSERT INTO legacy_values (row_id, root_job_id)
    SELECT id, overruled_root FROM changed WHERE overruled_root IS NOT NULL
    ON CONFLICT (row_id) DO UPDATE
    SET root_job_id = coalesce(legacy_values.root_job_id, excluded.root_job_id)
)
