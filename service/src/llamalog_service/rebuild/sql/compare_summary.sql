-- The differences by kind and by column, those apart that live traffic has corrected since.
SELECT d.kind, c.column_name AS column, d.corrected, count(DISTINCT d.id) AS rows, count(DISTINCT d.id) FILTER (WHERE d.mended) AS mended
FROM llamalog_rebuild.differences d
LEFT JOIN LATERAL unnest(d.columns) AS c (column_name) ON true
GROUP BY GROUPING SETS ((d.kind, d.corrected), (d.kind, c.column_name, d.corrected))
HAVING grouping(c.column_name) = 1 OR c.column_name IS NOT NULL
