-- How many rows have no known root, by origin.
SELECT l.origin, count(*) AS rows
FROM llama_logs l
WHERE l.root_job_id IS NULL
GROUP BY l.origin
ORDER BY l.origin
