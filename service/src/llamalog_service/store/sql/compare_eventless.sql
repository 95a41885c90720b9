-- How many of the live rows without an event were there before events existed: those that the migration met when it
-- took the table over, and those of another writer that nobody has looked at.
SELECT count(*)
FROM llamalog_rebuild.differences d
JOIN llama_logs l USING (id)
WHERE d.kind = 'extra'
  AND (l.origin IS NULL
       OR l.recorded_at IN (SELECT j.before::timestamptz FROM migration_journal j WHERE j.kind = 'taken over'))
