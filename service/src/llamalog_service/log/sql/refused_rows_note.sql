-- Set the rows $2 aside: the write $1 of each, whose aim is $3, was refused with the codes $4 and the reasons $5. A row is
-- tried again once its version is another than the one seen now.
INSERT INTO refused_rows AS f (row_id, write, seen, aim, sqlstate, reason)
SELECT u.row_id, $1, l.xmin, u.aim, u.sqlstate, u.reason
FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[]) AS u (row_id, aim, sqlstate, reason)
JOIN llama_logs l ON l.id = u.row_id
ON CONFLICT (row_id, write) DO UPDATE
SET seen = excluded.seen, aim = excluded.aim, sqlstate = excluded.sqlstate, reason = excluded.reason, last_at = now(),
    attempts = f.attempts + 1
