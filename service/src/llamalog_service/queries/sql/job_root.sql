-- The root of the job $1 as its rows have it; of one never seen, as rows that name it as their parent have it.
SELECT found.root_job_id, found.origin, found.cycle_members
FROM (
    (SELECT 1 AS choice, l.root_job_id, l.origin, l.cycle_members
     FROM llama_logs l
     WHERE {l bears $1::text}
     ORDER BY {earliest}
     LIMIT 1)
    UNION ALL
    (SELECT 2, l.root_job_id, l.origin, l.cycle_members
     FROM llama_logs l
     WHERE {l names $1::text} AND {counts}
     LIMIT 1)
) found
ORDER BY found.choice
LIMIT 1
