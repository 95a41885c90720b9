-- Of rows ($1) that were just published, those that are not as a transaction of the time $2 wrote them: corrected, or written by
-- another transaction. Nearly all are. The tombstone of a row that was removed is published again. Selects also the number of
-- erasures, and whether there are retractions.
WITH removed AS (
    UPDATE removed_rows r
    SET is_published = false
    WHERE r.row_id = ANY ($1::uuid[]) AND NOT EXISTS (SELECT FROM llama_logs l WHERE l.id = r.row_id OFFSET 0)
)
SELECT ARRAY(
           SELECT l.id FROM llama_logs l
           WHERE l.id = ANY ($1::uuid[]) AND (l.revision > 1 OR l.recorded_at IS DISTINCT FROM $2::timestamptz)
       ) AS others,
       (SELECT count(*) FROM erasures) AS erasures, EXISTS (SELECT FROM retractions) AS are_retracted
