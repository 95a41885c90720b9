-- Some $1 unpublished corrected rows, by the outbox's own order: a backfill leaves a million there, which
-- no call may sort.
SELECT DISTINCT ON (n.row_id) n.row_id
FROM provenance_outbox n
WHERE (SELECT true FROM llama_logs r WHERE r.id = n.row_id)
ORDER BY n.row_id
LIMIT $1
