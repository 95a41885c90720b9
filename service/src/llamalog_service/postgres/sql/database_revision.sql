-- The revision that the last migration left.
SELECT version_num FROM llamalog_revision
