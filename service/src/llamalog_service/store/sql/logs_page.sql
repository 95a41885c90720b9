-- Rows in the order of time that all filters let through, at most $20, of at most $19 that an index leads to (with the
-- value $4) from the place $1 (time), $2 (id) up to the time $3. A filter that is NULL, or false, lets all rows through.
SELECT {row}
FROM (
    SELECT l.*
    FROM {rows} l
    WHERE (l.created_at, l.id) {behind} ($1::text::timestamp, $2::uuid)
      AND l.created_at {ahead} $3::text::timestamp
    ORDER BY l.created_at {order}, l.id {order}
    LIMIT $19::integer
) l
WHERE ($5::text IS NULL OR l.category::text = $5)
  AND ($6::text IS NULL OR l.status::text = $6)
  AND ($7::text IS NULL OR l.entity_type::text = $7)
  AND ($8::uuid IS NULL OR l.entity_id = $8)
  AND ($9::text IS NULL OR l.operation LIKE $9)
  AND ($10::text IS NULL OR $10 = ANY (l.sources))
  AND ($11::text IS NULL OR l.user_id = $11)
  AND ($12::text IS NULL OR l.job_id = $12)
  AND ($13::text IS NULL OR l.root_job_id = $13)
  AND ($14::text IS NULL OR l.origin::text = $14)
  AND ($15::text IS NULL OR l.error_message ILIKE $15 OR l.error_code ILIKE $15)
  AND (NOT $16::boolean OR l.origin = 'ROOT')
  AND (NOT $17::boolean OR l.root_job_id IS NULL)
  AND ($18::text IS NULL OR l.operation ILIKE $18 OR l.job_id ILIKE $18 OR l.reason ILIKE $18
       OR l.error_message ILIKE $18 OR l.error_code ILIKE $18
       OR l.metadata ->> 'title' ILIKE $18 OR l.metadata ->> 'name' ILIKE $18)
ORDER BY l.created_at {order}, l.id {order}
LIMIT $20::integer
