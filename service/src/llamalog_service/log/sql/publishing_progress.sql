-- The last row that an interrupted publication ($1) had reached.
SELECT last_row FROM telling_progress WHERE what = $1
