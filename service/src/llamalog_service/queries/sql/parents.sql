-- The parents that count of the jobs $1 (text[]), of their parents, and so on up to the tops, of the nearest $2 jobs: there
-- the walk ends.
WITH RECURSIVE starts (job) AS (
    SELECT DISTINCT unnest($1::text[])
), {lineage}
SELECT job, parent FROM lineage
LIMIT $2::integer
