-- The unpublished rows that were corrected longest ago, at most $1; those of backfills come after all others.
SELECT n.row_id
FROM provenance_outbox n
WHERE NOT n.bulk AND (SELECT true FROM llama_logs r WHERE r.id = n.row_id)
GROUP BY n.row_id
ORDER BY min(n.noted_at), n.row_id
LIMIT $1
