-- The next differences after the row $1 (NULL: from the beginning) as lines of JSON, of a row on both sides the differing
-- columns, else the whole row: at most $2, the first and those after it that keep all of them within $3 bytes.
SELECT d.id,
       json_build_object(
           'id', d.id, 'kind', d.kind, 'columns', d.columns, 'correctedMeanwhile', d.corrected,
           'live', d.live, 'rebuilt', d.rebuilt
       )::text AS line
FROM (
    SELECT d.*, row_number() OVER w AS number, sum(d.bytes) OVER w AS upto
    FROM (
        SELECT *
        FROM llamalog_rebuild.differences
        WHERE $1::uuid IS NULL OR id > $1
        ORDER BY id
        LIMIT $2
    ) d
    WINDOW w AS (ORDER BY d.id ROWS UNBOUNDED PRECEDING)
) d
WHERE d.number = 1 OR d.upto <= $3::bigint
ORDER BY d.id
