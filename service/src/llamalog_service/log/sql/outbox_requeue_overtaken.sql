-- Note rows ($1) that were corrected past the revision ($2) just published: the older record may have come last, and
-- compaction keeps what comes last. An entry that is there gets a new version: the one that is being published may come
-- before. Nearly all rows are as they were written, in revision 1, and are left out first. Likewise the tombstone of a row
-- that was removed is published again. Selects the number of erasures.
WITH corrected AS MATERIALIZED (
    SELECT l.id, l.revision FROM llama_logs l WHERE l.id = ANY ($1::uuid[]) AND l.revision > 1
), overtaken AS (
    INSERT INTO provenance_outbox (row_id, revision)
    SELECT DISTINCT l.id, l.revision
    FROM corrected l
    JOIN unnest($1::uuid[], $2::integer[]) AS published (id, revision) ON published.id = l.id
    WHERE l.revision > published.revision
    ON CONFLICT (row_id, revision) DO UPDATE SET noted_at = excluded.noted_at
), removed AS (
    UPDATE removed_rows r
    SET is_published = false
    WHERE r.row_id = ANY ($1::uuid[]) AND NOT EXISTS (SELECT FROM llama_logs l WHERE l.id = r.row_id OFFSET 0)
)
SELECT count(*) FROM erasures
