"""The repair of roots: commands become runs, one worker does them, a sweep finds what was lost."""
