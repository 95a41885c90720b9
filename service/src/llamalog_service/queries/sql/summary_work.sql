-- What a group $1 has recorded of a topic $2, and what was done and is left: messages read, overrides stored,
-- repairs completed and open, corrections not yet published.
SELECT (SELECT coalesce(sum(next_offset), 0)::bigint FROM consumer_positions WHERE consumer_group = $1 AND topic = $2)
           AS messages_read,
       (SELECT count(*) FROM root_decrees) AS overrides,
       (SELECT count(*) FROM backfill_runs WHERE status = 'completed') AS repairs,
       (SELECT count(*) FROM backfill_runs WHERE status IN ('queued', 'running')) AS open_repairs,
       (SELECT count(*) FROM provenance_outbox) AS unpublished
