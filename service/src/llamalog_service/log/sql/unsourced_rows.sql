-- The next rows after the id $1 (NULL: from the beginning) without a source event, their COLUMNS as texts, with the values of
-- their lineage that the rules overrule, of unprocessed rows too: at most $2, the first and those after it that keep all of
-- them within $3 bytes.
SELECT r.id, r.columns, r.kept_parent, r.kept_root, r.erased
FROM (
    SELECT r.*, row_number() OVER w AS number, sum(pg_column_size(r.columns)) OVER w AS upto
    FROM (
        SELECT l.id, l.erased, ARRAY[COLUMNS]::text[] AS columns, v.parent_job_id AS kept_parent,
               coalesce(v.root_job_id, CASE WHEN l.origin IS NULL THEN l.root_job_id END) AS kept_root
        FROM llama_logs l
        LEFT JOIN legacy_values v ON v.row_id = l.id
        WHERE (l.legacy_sourced IS FALSE OR l.legacy_sourced IS NULL AND l.origin IS NULL)
          AND ($1::uuid IS NULL OR l.id > $1)
        ORDER BY l.id
        LIMIT $2
    ) r
    WINDOW w AS (ORDER BY r.id ROWS UNBOUNDED PRECEDING)
) r
WHERE r.number = 1 OR r.upto <= $3::bigint
ORDER BY r.id
