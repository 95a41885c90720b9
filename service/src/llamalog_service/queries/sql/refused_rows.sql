-- Rows that PostgreSQL lets no writer change, by the first of their writes that was refused: at most $3 behind the position $1 (since when), $2 (id).
SELECT f.row_id AS id, f.first_at AS created_at, NULL::text AS odd_time,
       f.write, f.sqlstate, f.reason, f.last_at, f.attempts, coalesce(l.operation, '') AS operation, l.job_id, l.root_job_id, l.origin
FROM {refused}
  AND (f.first_at, f.row_id) > ($1::text::timestamp AT TIME ZONE 'UTC', $2::uuid)
ORDER BY f.first_at, f.row_id
LIMIT $3::integer
