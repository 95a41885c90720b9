-- Keep up to which row ($2) all is told to the topic $1.
INSERT INTO genesis_progress (topic, last_row) VALUES ($1, $2)
ON CONFLICT (topic) DO UPDATE SET last_row = excluded.last_row, updated_at = now()
