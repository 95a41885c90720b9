"""Kafka: clients, topics, publisher, readers; at-least-once consumption in `consumer/`."""
