-- The last row that an interrupted publication ($1) had reached.
SELECT last_row FROM publishing_progress WHERE publication = $1
