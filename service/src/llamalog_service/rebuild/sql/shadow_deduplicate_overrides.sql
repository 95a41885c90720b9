-- Leave one override of each id in the shadow: the one that the live table holds, else that of the lowest partition and
-- offset.
DELETE FROM llamalog_rebuild.root_overrides s
USING (
    SELECT d.ctid AS tuple,
           row_number() OVER (
               PARTITION BY d.id
               ORDER BY coalesce(
                   (l.job_id, l.adopted, l.reason, l.requested_by, l.overridden_at)
                   = (d.job_id, d.adopted, d.reason, d.requested_by, d.overridden_at), false
               ) DESC, d.partition, d."offset"
           ) AS choice
    FROM llamalog_rebuild.root_overrides d
    LEFT JOIN root_overrides l USING (id)
) ranked
WHERE s.ctid = ranked.tuple AND ranked.choice > 1
