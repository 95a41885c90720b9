-- Keep up to which row ($2) a publication ($1) is complete.
INSERT INTO telling_progress (what, last_row) VALUES ($1, $2)
ON CONFLICT (what) DO UPDATE SET last_row = excluded.last_row, updated_at = now()
