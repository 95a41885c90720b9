"""Dead letters, read back for operators: listed, shown, and replayed to the topics that they came from."""
