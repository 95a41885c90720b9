-- The number and the time of the transaction, and of those new rows ($1) that were removed before the highest revision
-- that they had. now() is what recorded_at defaults to.
SELECT pg_current_xact_id()::xid AS transaction, now() AS recorded_at,
       array_agg(removed.row_id) AS ids, array_agg(removed.revision) AS revisions
FROM (
    SELECT row_id, coalesce(max((content ->> 'revision')::integer), 0) AS revision
    FROM removed_rows WHERE row_id = ANY ($1::uuid[]) GROUP BY row_id
) removed
