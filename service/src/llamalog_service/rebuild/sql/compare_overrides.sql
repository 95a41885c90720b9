-- How many overrides are missing from the live table, in no event, or different; erasures and retractions count, too, and none
-- is in no event.
SELECT count(*) FILTER (WHERE l.id IS NULL)
           + (SELECT count(*) FROM llamalog_rebuild.erasures e WHERE NOT EXISTS (SELECT FROM erasures k WHERE k.id = e.id))
           + (SELECT count(*) FROM llamalog_rebuild.retractions t WHERE NOT EXISTS (SELECT FROM retractions k WHERE k.id = t.id)) AS missing,
       count(*) FILTER (WHERE s.id IS NULL) AS extra,
       count(*) FILTER (WHERE l.id = s.id) AS different
FROM root_overrides l
FULL JOIN llamalog_rebuild.root_overrides s ON s.id = l.id
WHERE l.id IS NULL OR s.id IS NULL
   OR (l.job_id, l.adopted, l.reason, l.requested_by, l.overridden_at)
      IS DISTINCT FROM (s.job_id, s.adopted, s.reason, s.requested_by, s.overridden_at)
