"""What is stored about a person: found, to answer a request for access."""
