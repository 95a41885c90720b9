-- Note rows ($1) that were corrected past the revision ($2) just published: the older record may have come last, and
-- compaction keeps what comes last. Nearly all rows are as they were written, in revision 1, and are left out first.
INSERT INTO provenance_outbox (row_id, revision)
WITH corrected AS MATERIALIZED (
    SELECT l.id, l.revision FROM llama_logs l WHERE l.id = ANY ($1::uuid[]) AND l.revision > 1
)
SELECT l.id, l.revision
FROM corrected l
JOIN unnest($1::uuid[], $2::integer[]) AS published (id, revision) ON published.id = l.id
WHERE l.revision > published.revision
ON CONFLICT DO NOTHING
