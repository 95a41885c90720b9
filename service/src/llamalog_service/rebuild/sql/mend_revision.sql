-- A revision that nobody has been told of a row that was gone, which may itself have had the highest: one that no live
-- row and no correction that waits to be told has reached, and the minutes since 2020, which no row is corrected as
-- often as.
SELECT greatest(
    (SELECT coalesce(max(revision), 0) FROM llama_logs) + 1,
    (SELECT coalesce(max(revision), 0) FROM provenance_outbox) + 1,
    (extract(epoch FROM now() - '2020-01-01 00:00:00+00') / 60)::integer
)
