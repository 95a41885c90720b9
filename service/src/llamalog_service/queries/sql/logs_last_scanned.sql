-- The row number $5, counted from 0, of those that an index leads to (with the value $4) from the position $1 (time),
-- $2 (id) up to the time $3.
SELECT l.id, least(greatest(l.created_at, '0001-01-01'), '9999-12-31 23:59:59.999') AT TIME ZONE 'UTC' AS created_at,
       CASE WHEN l.created_at NOT BETWEEN '0001-01-01' AND '9999-12-31 23:59:59.999' THEN l.created_at::text END
           AS odd_time
FROM {rows} l
WHERE (l.created_at, l.id) {behind} ($1::text::timestamp, $2::uuid)
  AND l.created_at {ahead} $3::text::timestamp
ORDER BY {leading}l.created_at {order}, l.id {order}
OFFSET $5::integer
LIMIT 1
