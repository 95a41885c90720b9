"""For development and demonstrations: a local stack, a sample catalogue, the contract as files."""
