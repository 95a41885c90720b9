-- Delete, of the corrections before $1, up to $2 changes of roots, and those corrections of the oldest 1,000 that have none left.
WITH oldest AS MATERIALIZED (
    SELECT c.id FROM root_corrections c WHERE c.changed_at < $1::timestamptz ORDER BY c.changed_at, c.id LIMIT 1000
), changes AS MATERIALIZED (
    SELECT change.row_id, change.revision, o.id AS correction
    FROM oldest o
    CROSS JOIN LATERAL (
        SELECT h.row_id, h.revision FROM root_history h WHERE h.correction = o.id LIMIT $2::integer + 1
    ) change
    LIMIT $2::integer + 1
), chosen AS MATERIALIZED (
    SELECT c.* FROM changes c LIMIT $2::integer
), deleted AS (
    DELETE FROM root_history h USING chosen s WHERE h.row_id = s.row_id AND h.revision = s.revision
), emptied AS (
    DELETE FROM root_corrections c
    USING oldest o
    WHERE c.id = o.id AND (SELECT count(*) FROM changes) <= $2::integer
)
SELECT (SELECT count(*) FROM chosen)::integer AS changes,
       CASE WHEN (SELECT count(*) FROM changes) <= $2::integer THEN (SELECT count(*) FROM oldest) ELSE 0 END::integer
           AS corrections
