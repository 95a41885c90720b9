-- Insert the retractions of the shadow that the live table lacks; $1 (boolean): whether its rows are as they want them already.
INSERT INTO retractions (id, row_id, retracted, reason, requested_by, retracted_at, waits_since)
SELECT id, row_id, retracted, reason, requested_by, retracted_at, CASE WHEN NOT $1 THEN clock_timestamp() END
FROM llamalog_rebuild.retractions
ON CONFLICT (id) DO NOTHING
