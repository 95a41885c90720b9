"""The log folded anew from its topic, compared with the live table, and the live table repaired."""
