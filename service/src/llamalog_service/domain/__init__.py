"""The rules: pure functions of events and facts. No async, no input or output, no driver."""
