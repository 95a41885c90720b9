-- What the rule gives the rows that start at the jobs in scope, and whether they have it.
SELECT {rule_compared}
FROM (
    SELECT {rule_row}
    FROM rule_ends e
    CROSS JOIN LATERAL (
        SELECT l.*, {claimed} AS claimed
        FROM llama_logs l
        WHERE {l bears e.job}
        UNION ALL
        SELECT l.*, l.parent_job_id
        FROM llama_logs l
        WHERE {l names e.job} AND l.job_id IS NULL AND {claims}
        OFFSET 0
    ) l
    WHERE e.in_scope
) r
