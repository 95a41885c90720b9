"""What is true whatever the machinery: pure, no async, no input or output."""
