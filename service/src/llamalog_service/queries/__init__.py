"""The read model of the API, the pages and the command line."""
