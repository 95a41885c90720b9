"""Messages out: the topics, the producer, and what is published on each."""
