-- Looking again, the backfill $1 has changed $2 more rows.
UPDATE backfill_runs SET rows_changed = rows_changed + $2, updated_at = now() WHERE id = $1
