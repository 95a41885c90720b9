-- What the rule gives the rows created from $1 up to before $2 (NULL: at any time), and whether they have it.
SELECT {rule_compared}
FROM (
    SELECT {rule_row}
    FROM (
        SELECT *, CASE WHEN origin IS NULL AND is_root_job THEN NULL ELSE parent_job_id END AS claimed FROM llama_logs
        WHERE ($1::timestamp IS NULL OR created_at >= $1) AND ($2::timestamp IS NULL OR created_at < $2)
    ) l
    LEFT JOIN rule_ends e ON e.job = coalesce(l.job_id, l.claimed)
) r
