"""Messages out: the topics, the producer, and what is said on each."""
