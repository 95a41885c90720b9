"""Personal data: all that is stored about a user, to answer a request for access."""
