"""Faults on the real thing: processes, PostgreSQL and Apache Kafka under load; `make chaos`."""
