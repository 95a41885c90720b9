-- The next $2 rows after the id $1 (NULL: from the beginning) without a source event, their COLUMNS as texts, with the
-- values of their lineage that the rules overrule, of unprocessed rows too.
SELECT l.id, ARRAY[COLUMNS]::text[] AS columns, v.parent_job_id AS kept_parent,
       coalesce(v.root_job_id, CASE WHEN l.origin IS NULL THEN l.root_job_id END) AS kept_root
FROM llama_logs l
LEFT JOIN legacy_values v ON v.row_id = l.id
WHERE (l.legacy_sourced IS FALSE OR l.legacy_sourced IS NULL AND l.origin IS NULL) AND ($1::uuid IS NULL OR l.id > $1)
ORDER BY l.id
LIMIT $2
