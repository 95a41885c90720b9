-- Where to recompute from, for rows that look stale among those without a final root: rows that another
-- writer put in, and rows that wait although their parent's lineage is known or counts as a root by an override. At most $1 jobs;
-- none of rows that were refused as they are. Looked at are $3 rows from the id $2 on up to $4, and rows of other writers
-- wherever they are; with each job comes the last id that was looked at, NULL if none is left after it, and one line comes without a job.
WITH page AS MATERIALIZED (
    SELECT l.id, l.xmin AS version, l.job_id, l.parent_job_id, l.origin, l.parent_conflict, l.retracted
    FROM llama_logs l
    WHERE (l.origin IS NULL OR l.origin IN ('PENDING', 'DECLARED')) AND l.id >= $2 AND l.id <= $4
    ORDER BY l.id
    LIMIT $3
),
foreign_rows AS MATERIALIZED (
    SELECT l.id, l.xmin AS version, l.job_id, l.parent_job_id, l.origin, l.parent_conflict, l.retracted
    FROM llama_logs l
    WHERE l.origin IS NULL AND l.root_job_id IS NULL AND coalesce(l.job_id, l.parent_job_id) IS NOT NULL
      AND NOT EXISTS (SELECT FROM refused_rows f WHERE f.row_id = l.id AND f.seen = l.xmin)
    LIMIT $1
),
stale AS (
    SELECT DISTINCT coalesce(l.job_id, l.parent_job_id) AS job
    FROM (SELECT * FROM page UNION ALL SELECT * FROM foreign_rows) l
    WHERE coalesce(l.job_id, l.parent_job_id) IS NOT NULL
      AND NOT EXISTS (SELECT FROM refused_rows f WHERE f.row_id = l.id AND f.seen = l.version)
      AND (l.origin IS NULL
           OR {counts} AND EXISTS (
               SELECT FROM llama_logs p
               WHERE {p bears l.parent_job_id} AND p.origin NOT IN ('PENDING', 'DECLARED') OFFSET 0)
           OR {counts}
              AND (SELECT d.adopted FROM root_overrides d
                   WHERE d.job_id = l.parent_job_id
                   ORDER BY d.overridden_at DESC, d.id DESC
                   LIMIT 1)
              AND NOT EXISTS (SELECT FROM llama_logs p WHERE {p bears l.parent_job_id} OFFSET 0))
    LIMIT $1
)
SELECT s.job, looked_at.last_id
FROM (SELECT CASE WHEN count(*) = $3 THEN (array_agg(id ORDER BY id DESC))[1] END AS last_id FROM page) looked_at
LEFT JOIN stale s ON true
