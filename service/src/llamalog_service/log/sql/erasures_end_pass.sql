-- Note that the pass under way has come to the end.
UPDATE erasures SET applied_at = now(), reached = NULL WHERE applied_at IS NULL AND reached IS NOT NULL
