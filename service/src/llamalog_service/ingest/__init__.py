"""From a batch of raw messages to rows, provenance and commands."""
