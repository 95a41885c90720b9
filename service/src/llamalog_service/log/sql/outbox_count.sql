-- How many corrections wait to be published.
SELECT count(*) FROM provenance_outbox
