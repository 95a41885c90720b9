-- The jobs `recompute_jobs` without a parent, where walks end.
SELECT j.job,
       CASE WHEN j.seen OR j.adopted THEN j.job END,
       CASE WHEN j.seen THEN 'SEEN' WHEN j.adopted THEN 'ADOPTED' ELSE 'OPEN' END,
       0
FROM recompute_jobs j
WHERE j.parent IS NULL
