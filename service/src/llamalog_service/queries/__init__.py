"""The read model of API, pages and commands; every query raises UnavailableError if PostgreSQL is away."""
