-- Rows in the order of time that all filters let through, at most $22, of at most $21 that an index leads to (with the
-- value $4) from the position $1 (time), $2 (id) up to the time $3. A filter that is NULL, or false, lets all rows through.
-- The first row is given; of the others those that keep all of them within $23 bytes, and one more, marked as
-- `beyond`. What is small is weighed as it is kept; what is compressed as the text that it will be. OFFSET 0: weighed once.
WITH page AS (
    SELECT l.*
    FROM (
        SELECT l.*
        FROM {rows} l
        WHERE (l.created_at, l.id) {behind} ($1::text::timestamp, $2::uuid)
          AND l.created_at {ahead} $3::text::timestamp
        ORDER BY {leading}l.created_at {order}, l.id {order}
        LIMIT $21::integer
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
      AND ($19::text IS NULL OR l.producer_id = (SELECT p.id FROM event_producers p WHERE p.source = $19))
      AND ($20::text IS NULL OR substr(l.traceparent, 4, 32) = $20)
      AND (NOT $16::boolean OR l.origin = 'ROOT')
      AND (NOT $17::boolean OR l.root_job_id IS NULL)
      AND ($18::text IS NULL OR l.operation ILIKE $18 OR l.job_id ILIKE $18 OR l.reason ILIKE $18
           OR l.error_message ILIKE $18 OR l.error_code ILIKE $18
           OR l.metadata ->> 'title' ILIKE $18 OR l.metadata ->> 'name' ILIKE $18)
    ORDER BY {leading}l.created_at {order}, l.id {order}
    LIMIT $22::integer
)
SELECT {row}, l.number > 1 AND l.before + l.bytes > $23::bigint AS beyond
FROM (
    SELECT l.*, row_number() OVER w AS number, bytes.bytes, sum(bytes.bytes) OVER w - bytes.bytes AS before
    FROM (
        SELECT l.*, {weights}
        FROM page l
        OFFSET 0
    ) l
    CROSS JOIN LATERAL (SELECT l.metadata_bytes + l.preview_bytes + l.text_bytes AS bytes) bytes
    WINDOW w AS (ORDER BY l.created_at {order}, l.id {order} ROWS UNBOUNDED PRECEDING)
) l
WHERE l.number <= 2 OR l.before <= $23::bigint
ORDER BY l.created_at {order}, l.id {order}
