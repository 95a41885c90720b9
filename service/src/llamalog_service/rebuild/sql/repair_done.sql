-- Mark the differences of the rows $1 as repaired.
UPDATE llamalog_rebuild.differences SET repaired = true WHERE id = ANY ($1::uuid[])
