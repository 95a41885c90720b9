-- Write planned rows (as of plan_rows), unless a recompute has corrected them since. Another writer's values
-- that the rules overrule go to legacy_values, each new revision to the outbox, each root that a row had to the history. Returns the numbers of scanned and of
-- written rows by origin, the last position, and the number of rows that are not as planned all the same.
WITH batch AS MATERIALIZED (
    WANTED_ROWS
), kept AS (
    INSERT INTO legacy_values AS v (row_id, parent_job_id, root_job_id)
    SELECT l.id, CASE WHEN l.is_root_job THEN l.parent_job_id END, l.root_job_id
    FROM batch b
    JOIN llama_logs l ON l.id = b.row_id
    WHERE b.needs_normalising AND l.origin IS NULL AND l.revision = b.revision
    ON CONFLICT (row_id) DO UPDATE
    SET parent_job_id = coalesce(v.parent_job_id, excluded.parent_job_id),
        root_job_id = coalesce(v.root_job_id, excluded.root_job_id)
    WHERE v.parent_job_id IS NULL AND excluded.parent_job_id IS NOT NULL
       OR v.root_job_id IS NULL AND excluded.root_job_id IS NOT NULL
), before AS MATERIALIZED (
    SELECT l.id, l.root_job_id AS root_now, l.origin AS origin_now
    FROM batch b
    JOIN llama_logs l ON l.id = b.row_id
    WHERE (b.was_settled OR b.needs_normalising) AND l.revision = b.revision
), new_correction AS (
    {new_correction} WHERE EXISTS (SELECT FROM batch) RETURNING id
), changed AS (
    UPDATE llama_logs l
    SET root_job_id = b.root_job_id,
        origin = b.origin,
        cycle_members = b.cycle_members,
        parent_conflict = b.parent_conflict,
        parent_job_id = CASE WHEN b.needs_normalising AND l.origin IS NULL AND l.is_root_job THEN NULL ELSE l.parent_job_id END,
        legacy_sourced = CASE WHEN l.origin IS NULL THEN coalesce(l.legacy_sourced, false) ELSE l.legacy_sourced END,
        settled_by = {settled_by},
        revision = {next_revision}
    FROM batch b
    WHERE l.id = b.row_id AND l.revision = b.revision
    RETURNING l.id, l.revision, l.origin, l.root_job_id,
              (l.root_job_id, l.origin, l.cycle_members, l.parent_conflict)
                  IS NOT DISTINCT FROM (b.root_job_id, b.origin, b.cycle_members, b.parent_conflict)
              AND l.revision > b.revision AS as_planned
), noted AS (
    INSERT INTO provenance_outbox (row_id, revision, bulk) SELECT id, revision, true FROM changed
), known AS (
    SELECT id, revision, root_job_id, origin, root_now, origin_now FROM before JOIN changed USING (id)
), remembered AS (
    {remember}
)
SELECT counted.*,
       CASE WHEN (SELECT count(*) FROM changed WHERE as_planned) < (SELECT count(*) FROM batch)
            THEN (SELECT count(*) FROM batch b JOIN llama_logs l ON l.id = b.row_id WHERE l.revision = b.revision)
                 - (SELECT count(*) FROM changed WHERE as_planned)
            ELSE 0 END AS ineffective
FROM (SELECT) AS always
LEFT JOIN (
    SELECT origin::text AS origin, count(*)::integer AS scanned, 0 AS written,
           count(*) FILTER (WHERE parent_conflict)::integer AS conflicts, max(position) AS last_position
    FROM batch
    GROUP BY origin
    UNION ALL
    SELECT origin::text, 0, count(*)::integer, 0, NULL FROM changed GROUP BY origin
) counted ON true
