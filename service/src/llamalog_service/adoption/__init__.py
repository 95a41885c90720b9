"""Taking over a database that grew without roots: inspect, migrate, adopt, publish legacy events."""
