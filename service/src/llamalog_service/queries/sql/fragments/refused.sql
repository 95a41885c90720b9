-- Rows of the log that PostgreSQL lets no writer change, each once: by the first of its writes that was refused. Of one that
-- cannot be read nothing else is known. OFFSET 0 keeps the planner from reading the whole log for them.
refused_rows f
LEFT JOIN LATERAL (
    SELECT g.operation, g.job_id, g.root_job_id, g.origin
    FROM llama_logs g
    WHERE g.id = f.row_id
      AND NOT EXISTS (SELECT FROM refused_rows e WHERE e.row_id = f.row_id AND e.write = 'read')
    OFFSET 0
) l ON true
WHERE (l.operation IS NOT NULL OR EXISTS (SELECT FROM refused_rows e WHERE e.row_id = f.row_id AND e.write = 'read'))
  AND NOT EXISTS (
      SELECT FROM refused_rows e WHERE e.row_id = f.row_id AND (e.first_at, e.write) < (f.first_at, f.write)
  )
