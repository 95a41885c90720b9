"""An example of a consumer: a view of the history of each album, in SQLite."""
