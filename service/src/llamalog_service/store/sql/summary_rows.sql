-- How many rows of each origin the log holds, and how many of them were corrected after they were written.
SELECT origin, count(*) AS rows, count(*) FILTER (WHERE revision > 1) AS corrected
FROM llama_logs
GROUP BY origin
