-- Keep up to which row ($2) a publication ($1) is complete.
INSERT INTO publishing_progress (publication, last_row) VALUES ($1, $2)
ON CONFLICT (publication) DO UPDATE SET last_row = excluded.last_row, updated_at = now()
