-- Since when the history of roots is complete.
SELECT kept_since FROM history_start
