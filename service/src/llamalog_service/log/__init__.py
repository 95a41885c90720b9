"""PostgreSQL: tables, named SQL, and the only modules that import its driver, but for the wiring's pools."""
