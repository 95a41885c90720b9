-- The planned rows as they stand now: by the origin planned, how many are as planned, how many of these claim another
-- parent than the one that counts, how many a recompute has corrected since, how many are gone, how many were
-- refused and set aside, and how many others are not as planned although no recompute has corrected them.
SELECT s.origin::text AS origin,
       count(*) FILTER (WHERE s.as_planned)::integer AS as_planned,
       count(*) FILTER (WHERE s.as_planned AND s.parent_conflict)::integer AS conflicts,
       count(*) FILTER (WHERE s.parent_conflict AND (NOT s.there OR s.corrected AND NOT s.as_planned AND NOT s.refused))::integer
           AS live_conflicts,
       count(*) FILTER (WHERE s.there AND NOT s.as_planned AND s.corrected AND NOT s.refused)::integer AS corrected,
       count(*) FILTER (WHERE NOT s.there)::integer AS removed,
       count(*) FILTER (WHERE s.there AND NOT s.as_planned AND s.refused)::integer AS refused,
       count(*) FILTER (WHERE s.there AND NOT s.as_planned AND NOT s.corrected AND NOT s.refused)::integer
           AS unexplained
FROM (
    SELECT p.origin, p.parent_conflict, l.id IS NOT NULL AS there, l.revision <> p.revision AS corrected,
           f.row_id IS NOT NULL AS refused,
           l.id IS NOT NULL
           AND (l.root_job_id, l.origin, l.cycle_members, l.parent_conflict)
               IS NOT DISTINCT FROM (p.root_job_id, p.origin, p.cycle_members, p.parent_conflict) AS as_planned
    FROM backfill_plan p
    LEFT JOIN llama_logs l ON l.id = p.row_id
    LEFT JOIN refused_rows f ON f.row_id = p.row_id AND f.write = 'root' AND f.seen = l.xmin
) s
GROUP BY s.origin
