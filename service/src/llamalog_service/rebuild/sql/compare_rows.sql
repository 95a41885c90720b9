-- Record every row that is on one side only, or differs in a column: of the rows of the roots $1 or about the entities $2,
-- of all where both are empty. A difference may have changed roots below the row's job, or else its parent, on either side.
INSERT INTO llamalog_rebuild.differences (id, kind, columns, live, rebuilt, starts)
SELECT d.id,
       d.kind,
       c.columns,
       CASE WHEN d.kind = 'different' THEN c.live ELSE d.live END,
       CASE WHEN d.kind = 'different' THEN c.rebuilt ELSE d.rebuilt END,
       CASE WHEN d.kind = 'different' AND NOT c.columns && ARRAY['job_id', 'parent_job_id', 'declared_root_job_id',
                                                               'created_at', 'root_job_id', 'origin', 'cycle_members',
                                                               'parent_conflict', 'retracted']
            THEN '{}' ELSE array_remove(ARRAY[d.live_start, d.rebuilt_start], NULL) END
FROM (
    SELECT id,
           CASE WHEN l.id IS NULL THEN 'missing' WHEN r.id IS NULL THEN 'extra' ELSE 'different' END AS kind,
           CASE WHEN l.id IS NOT NULL THEN to_jsonb(l) END AS live,
           CASE WHEN r.id IS NOT NULL THEN to_jsonb(r) END AS rebuilt,
           coalesce(l.job_id, l.parent_job_id) AS live_start,
           coalesce(r.job_id, r.parent_job_id) AS rebuilt_start
    FROM live l
    FULL JOIN rebuilt r USING (id)
    WHERE (l.id IS NULL OR r.id IS NULL OR l::record IS DISTINCT FROM r::record)
      AND ($1::text[] = '{}' AND $2::uuid[] = '{}' OR l.root_job_id = ANY ($1) OR r.root_job_id = ANY ($1)
           OR ARRAY[l.entity_id, l.artist_id, l.album_id, l.track_id,
                    r.entity_id, r.artist_id, r.album_id, r.track_id] && $2)
) d
CROSS JOIN LATERAL (
    SELECT array_agg(key ORDER BY key) AS columns, jsonb_object_agg(key, one.value) AS live,
           jsonb_object_agg(key, other.value) AS rebuilt
    FROM jsonb_each(d.live) one
    JOIN jsonb_each(d.rebuilt) other USING (key)
    WHERE one.value IS DISTINCT FROM other.value
) c
