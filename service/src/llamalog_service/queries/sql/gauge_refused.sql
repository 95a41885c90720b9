-- How many rows PostgreSQL lets no writer change; at most $1 are counted.
SELECT count(*) FROM (
    SELECT FROM {refused}
    LIMIT $1
) r
