-- How many live rows were there before their event and have none, as far as was read.
SELECT count(*) FROM llama_logs l WHERE l.legacy_told IS FALSE OR l.legacy_told IS NULL AND l.origin IS NULL
