-- Note that $3 more rows or decrees ($1) are told, up to the one with the id $2.
INSERT INTO genesis AS g (what, last_told, told) VALUES ($1, $2, $3)
ON CONFLICT (what) DO UPDATE SET last_told = excluded.last_told, told = g.told + excluded.told, updated_at = now()
