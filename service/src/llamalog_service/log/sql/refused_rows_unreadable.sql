-- Set the row $1 aside, which cannot be read: the code $2 and the reason $3.
INSERT INTO refused_rows AS f (row_id, write, sqlstate, reason) VALUES ($1, 'read', $2, $3)
ON CONFLICT (row_id, write) DO UPDATE
SET sqlstate = excluded.sqlstate, reason = excluded.reason, last_at = now(), attempts = f.attempts + 1
