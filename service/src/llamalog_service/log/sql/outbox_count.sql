-- How many corrections wait to be told.
SELECT count(*) FROM provenance_outbox
