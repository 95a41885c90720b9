-- How many rows are not processed yet, and how many wait for a job that was never logged.
SELECT
    count(*) FILTER (WHERE origin IS NULL) AS unprocessed,
    count(*) FILTER (WHERE origin = 'PENDING') AS pending
FROM llama_logs
WHERE origin IS NULL OR origin IN ('PENDING', 'DECLARED')
