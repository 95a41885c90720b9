-- Delete the progress of a publication ($1).
DELETE FROM telling_progress WHERE what = $1
