"""Backfills and recomputes: commands become runs, one worker does them, a sweep finds what was lost."""
