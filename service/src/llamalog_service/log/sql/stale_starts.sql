-- Where to recompute from, for rows that look stale among those without a final root: rows that another
-- writer put in, and rows that wait although their parent's lineage is known or counts as a root by an override. At most $1 jobs;
-- none of rows that were refused as they are.
SELECT DISTINCT coalesce(l.job_id, l.parent_job_id) AS job
FROM llama_logs l
WHERE (l.origin IS NULL OR l.origin IN ('PENDING', 'DECLARED'))
  AND coalesce(l.job_id, l.parent_job_id) IS NOT NULL
  AND NOT EXISTS (SELECT FROM refused_rows f WHERE f.row_id = l.id AND f.seen = l.xmin)
  AND (l.origin IS NULL
       OR NOT l.parent_conflict AND EXISTS (
           SELECT FROM llama_logs p
           WHERE {p bears l.parent_job_id} AND p.origin NOT IN ('PENDING', 'DECLARED') OFFSET 0)
       OR NOT l.parent_conflict
          AND (SELECT d.adopted FROM root_overrides d
               WHERE d.job_id = l.parent_job_id
               ORDER BY d.overridden_at DESC, d.id DESC
               LIMIT 1)
          AND NOT EXISTS (SELECT FROM llama_logs p WHERE {p bears l.parent_job_id} OFFSET 0))
LIMIT $1
