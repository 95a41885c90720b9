"""Archives of a topic: segments of messages in files, and a rebuild from them."""
