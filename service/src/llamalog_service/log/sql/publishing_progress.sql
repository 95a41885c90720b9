-- Up to which row an interrupted telling ($1) had come.
SELECT last_row FROM telling_progress WHERE what = $1
