-- Note that the differences of the rows $1 are mended.
UPDATE llamalog_rebuild.differences SET mended = true WHERE id = ANY ($1::uuid[])
