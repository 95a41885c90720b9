-- Leave one override of each id in the shadow: the one that the live table holds, else that of the lowest partition and
-- offset.
DELETE FROM llamalog_rebuild.root_decrees s
USING (
    SELECT d.ctid AS tuple,
           row_number() OVER (
               PARTITION BY d.id
               ORDER BY coalesce(
                   (l.job_id, l.adopted, l.reason, l.requested_by, l.decreed_at)
                   = (d.job_id, d.adopted, d.reason, d.requested_by, d.decreed_at), false
               ) DESC, d.partition, d."offset"
           ) AS choice
    FROM llamalog_rebuild.root_decrees d
    LEFT JOIN root_decrees l USING (id)
) ranked
WHERE s.ctid = ranked.tuple AND ranked.choice > 1
