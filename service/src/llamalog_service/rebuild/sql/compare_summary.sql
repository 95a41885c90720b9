-- Counts of the differences by kind and by column; those that live traffic has corrected since are separate.
SELECT d.kind, c.column_name AS column, d.corrected, count(DISTINCT d.id) AS rows
FROM llamalog_rebuild.differences d
LEFT JOIN LATERAL unnest(d.columns) AS c (column_name) ON true
GROUP BY GROUPING SETS ((d.kind, d.corrected), (d.kind, c.column_name, d.corrected))
HAVING grouping(c.column_name) = 1 OR c.column_name IS NOT NULL
