-- Of a job `b`: the jobs of the rows that claim it as their parent.
CROSS JOIN LATERAL (
    SELECT l.job_id
    FROM llama_logs l
    WHERE {l names b.job} AND l.job_id IS NOT NULL AND {claims}
    OFFSET 0
) child
