-- Rows that PostgreSQL lets no writer change; at most $1 are read.
SELECT count(*) FROM (SELECT FROM refused_rows LIMIT $1) f
