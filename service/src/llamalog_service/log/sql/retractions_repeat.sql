-- Have the retractions of those rows ($1, NULL: all) applied once more that are not as their retractions want them: a row may have
-- come in behind them, or have been changed by another program.
UPDATE retractions t SET waits_since = clock_timestamp()
WHERE ($1::uuid[] IS NULL OR t.row_id = ANY ($1))
  AND EXISTS (SELECT FROM llama_logs l WHERE l.id = t.row_id AND l.retracted IS DISTINCT FROM {is_retracted} OFFSET 0)
