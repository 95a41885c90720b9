-- How many rows of each origin the log holds, and how many of them were corrected after they were written, claim
-- another parent than the one that counts, or declare another root than the one found.
SELECT origin, count(*) AS rows, count(*) FILTER (WHERE revision > 1) AS corrected,
       count(*) FILTER (WHERE parent_conflict) AS parent_conflicts,
       count(*) FILTER (WHERE declared_root_job_id <> root_job_id) AS declaration_conflicts
FROM llama_logs
GROUP BY origin
