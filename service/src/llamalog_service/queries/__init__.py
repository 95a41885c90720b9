"""What others ask: one read service for the API, the UI and the command line."""
