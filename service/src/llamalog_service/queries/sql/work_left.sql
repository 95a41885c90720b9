-- What is recorded and not done yet: runs that are not completed, corrections that are not published.
SELECT (SELECT count(*) FROM backfill_runs WHERE status IN ('queued', 'running')) AS open_runs,
       (SELECT count(*) FROM provenance_outbox) AS unpublished
