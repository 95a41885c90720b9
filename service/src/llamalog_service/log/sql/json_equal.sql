-- Whether two JSON values are equal as the table sees them.
SELECT $1::jsonb IS NOT DISTINCT FROM $2::jsonb
