-- How many rows, and how many overrides, have no source event that was read.
SELECT (SELECT count(*) FROM llama_logs l WHERE l.legacy_told IS FALSE OR l.legacy_told IS NULL AND l.origin IS NULL),
       (SELECT count(*) FROM root_decrees d WHERE NOT d.told)
