-- The backfill that adopts the whole log: the one under way, else the last that completed.
SELECT id
FROM backfill_runs
WHERE
    kind = 'backfill-roots'
    AND status IN ('queued', 'running', 'paused', 'completed')
    AND request -> 'scope' ->> 'kind' = 'everything'
    AND request ->> 'missingParent' = 'adopt'
    AND NOT coalesce((request ->> 'dryRun')::boolean, false)
ORDER BY status = 'completed', requested_at DESC
LIMIT 1
