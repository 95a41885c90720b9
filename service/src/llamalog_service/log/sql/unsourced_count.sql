-- How many rows, and how many overrides, have no source event that was read.
SELECT (SELECT count(*) FROM llama_logs l WHERE l.legacy_sourced IS FALSE OR l.legacy_sourced IS NULL AND l.origin IS NULL),
       (SELECT count(*) FROM root_overrides d WHERE NOT d.is_sourced)
