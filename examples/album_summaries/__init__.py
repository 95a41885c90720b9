"""An example of a service that keeps a view of its own: what happened to each album, in SQLite."""
