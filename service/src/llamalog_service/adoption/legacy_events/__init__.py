"""What was there before events existed is told by events: legacy rows, and overrides of backfills."""
