-- Those of the rows $1 that were removed before with as high a revision as they have now: another writer put them in again.
SELECT l.id
FROM removed_rows r
JOIN llama_logs l ON l.id = r.row_id
WHERE r.row_id = ANY ($1::uuid[])
GROUP BY l.id, l.revision
HAVING max((r.content ->> 'revision')::integer) >= l.revision
