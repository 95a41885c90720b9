-- At most $1 overrides that a backfill wrote and that are not published.
SELECT id, job_id, adopted, reason, requested_by, overridden_at FROM root_overrides WHERE to_publish ORDER BY id LIMIT $1::integer
