-- Keep retractions and revocations in the shadow, each id once, the first of them.
INSERT INTO llamalog_rebuild.retractions (id, row_id, retracted, reason, requested_by, retracted_at)
{given_retractions}
ON CONFLICT (id) DO NOTHING
