-- Keep retractions and revocations, each id once, the first of them.
INSERT INTO retractions (id, row_id, retracted, reason, requested_by, retracted_at)
{given_retractions}
ON CONFLICT (id) DO NOTHING
