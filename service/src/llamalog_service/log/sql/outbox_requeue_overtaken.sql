-- Note rows ($1) that were corrected past the revision ($2) just published: the older record may have come last, and
-- compaction keeps what comes last.
INSERT INTO provenance_outbox (row_id, revision)
SELECT l.id, l.revision
FROM unnest($1::uuid[], $2::integer[]) AS published (id, revision)
CROSS JOIN LATERAL (SELECT r.id, r.revision FROM llama_logs r WHERE r.id = published.id OFFSET 0) l
WHERE l.revision > published.revision
ON CONFLICT DO NOTHING
