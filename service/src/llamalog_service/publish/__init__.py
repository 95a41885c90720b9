"""What is kept in Kafka."""
