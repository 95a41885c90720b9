-- Keep up to which row ($2) all is told of what is told ($1).
INSERT INTO telling_progress (what, last_row) VALUES ($1, $2)
ON CONFLICT (what) DO UPDATE SET last_row = excluded.last_row, updated_at = now()
