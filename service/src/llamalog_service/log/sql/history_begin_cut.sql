-- The history is complete from $1 on: said before anything older is deleted. Returns whether there is anything older.
WITH moved AS (
    UPDATE history_start SET kept_since = $1::timestamptz WHERE kept_since < $1::timestamptz
)
SELECT EXISTS (SELECT FROM root_corrections c WHERE c.changed_at < $1::timestamptz)
