-- Forget how far a telling ($1) was.
DELETE FROM telling_progress WHERE what = $1
