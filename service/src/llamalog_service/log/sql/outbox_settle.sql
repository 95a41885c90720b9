-- After records of the rows $1 with the revisions $2 were published: delete their entries. Rows whose entry another process has
-- deleted meanwhile, or that have a later one, are compared with the table: what it has otherwise by now is noted. The tombstone
-- of a row that was removed is published again, since it may have come before the record. Versions of entries that transactions
-- from the number $3 on have written stay: another process has published an older record since. OFFSET 0: each is looked up by
-- its index, also where statistics are those of a smaller table.
WITH published AS MATERIALIZED (
    SELECT p.row_id, p.revision FROM unnest($1::uuid[], $2::integer[]) AS p (row_id, revision)
), entries AS MATERIALIZED (
    SELECT entry.*
    FROM published p
    CROSS JOIN LATERAL (
        SELECT n.ctid AS tuple, n.row_id, n.revision FROM provenance_outbox n WHERE n.row_id = p.row_id OFFSET 0
    ) entry
), doubtful AS MATERIALIZED (
    SELECT p.row_id, p.revision, l.revision AS current
    FROM published p
    LEFT JOIN (SELECT e.row_id, max(e.revision) AS revision FROM entries e GROUP BY e.row_id) latest USING (row_id)
    LEFT JOIN LATERAL (SELECT l.revision FROM llama_logs l WHERE l.id = p.row_id OFFSET 0) l ON true
    WHERE latest.revision IS NULL OR latest.revision > p.revision
), settled AS (
    DELETE FROM provenance_outbox o
    WHERE o.ctid = ANY (ARRAY(
              SELECT e.tuple
              FROM entries e
              LEFT JOIN doubtful d USING (row_id)
              WHERE d.row_id IS NULL OR d.current = d.revision OR d.current > e.revision
          ))
      AND age(o.xmin) > age($3::xid)
), overtaken AS (
    INSERT INTO provenance_outbox (row_id, revision)
    SELECT row_id, current FROM doubtful WHERE current > revision
    ON CONFLICT (row_id, revision) DO UPDATE SET noted_at = excluded.noted_at
)
UPDATE removed_rows r
SET is_published = false
WHERE r.row_id = ANY ($1::uuid[]) AND NOT EXISTS (SELECT FROM llama_logs l WHERE l.id = r.row_id OFFSET 0)
