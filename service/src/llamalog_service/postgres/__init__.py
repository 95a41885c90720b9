"""PostgreSQL: connections, error mapping, named SQL, tables, locks."""
