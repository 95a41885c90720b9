-- Note that the pass under way has come to the row $1 and erased $2 rows more.
UPDATE erasures SET reached = $1::uuid, rows_erased = rows_erased + $2::bigint WHERE applied_at IS NULL AND reached IS NOT NULL
