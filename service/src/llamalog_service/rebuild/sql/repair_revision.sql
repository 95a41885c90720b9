-- A revision higher than any that was published of a deleted row, which may have had the highest of all: above all live
-- and removed rows and the outbox, and at least the minutes since 2020, since no row is corrected as often.
SELECT greatest(
    (SELECT coalesce(max(revision), 0) FROM llama_logs) + 1,
    (SELECT coalesce(max(revision), 0) FROM provenance_outbox) + 1,
    (SELECT coalesce(max((content ->> 'revision')::integer), 0) FROM removed_rows) + 1,
    (extract(epoch FROM now() - '2020-01-01 00:00:00+00') / 60)::integer
)
