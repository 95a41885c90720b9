-- What the rule gives the rows created from $1 up to before $2 (NULL: at any time), and whether they have it.
SELECT {rule_compared}
FROM (
    SELECT {rule_row}
    FROM (
        SELECT l.*, {claimed} AS claimed
        FROM llama_logs l
        WHERE ($1::timestamp IS NULL OR l.created_at >= $1) AND ($2::timestamp IS NULL OR l.created_at < $2)
    ) l
    LEFT JOIN rule_ends e ON e.job = coalesce(l.job_id, l.claimed)
) r
